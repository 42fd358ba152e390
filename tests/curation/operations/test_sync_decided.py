"""Lips and sound decided anew from stored scores: spans, columns, moved sound, and what is not rendered again."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import SmallRun

import curation.rendering.render as rendering
from curation.media.audio import tick_audio
from curation.media.encode import encode_flac
from curation.media.probe import probe
from curation.operations.decide import redecide
from manifests.dataset import Dataset
from manifests.files.tables import read_table, write_parquet
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate
from manifests.schema.arrow_arrays import array_column
from manifests.schema.frames import FRAMES

LAG = 3
SURE = ["rules.sync.sure_ticks=61", "speech.denoiser=none", "speech.encoder=none"]
"""The clip has 85 ticks, and no network is needed."""


def with_scores(dataset: Path, out: Path, z: float) -> Path:
    """Copy a dataset; the faces of its first video have scores with a peak where sound is 3 ticks late."""
    shutil.copytree(dataset, out)
    for path in (out / "frames").glob("*.parquet"):
        rows = read_table(out, "frames")
        scores = np.zeros((len(rows), 31), np.float32)
        scores[:, 15 + LAG] = z / 85**0.5
        column = FRAMES.column("sync_scores")
        known = rows["track_id"].is_valid().to_pylist()
        values = array_column([row if has else None for row, has in zip(scores, known, strict=True)], column.type)
        rows = rows.set_column(rows.schema.get_field_index("sync_scores"), column.field, values)
        write_parquet(path, rows, FRAMES)
    return out


@pytest.fixture(scope="module")
def late(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset, with scores that are in sync at 3 ticks, decided and rendered with the sound as it is."""
    root = tmp_path_factory.mktemp("late")
    scored = with_scores(small_run.dataset, root / "scored", 9.0)
    redecide(scored, root / "as_it_is", overrides=SURE, render=True)
    return root / "as_it_is"


def test_columns_and_reports_tell_what_was_found(late: Path) -> None:
    clips = read_table(late, "clips").to_pylist()
    talking = next(row for row in clips if row["tier"] == "diffusion")
    assert (talking["sync"], talking["sync_reason"], talking["sound_moved_s"]) == ("in_sync", None, None)
    assert talking["sync_z"] == pytest.approx(9.0, rel=1e-2)
    assert talking["sync_offset_ticks"] == pytest.approx(LAG)
    assert len(talking["sync_curve"]) == 31
    assert np.argmax(talking["sync_curve"]) == 15 + LAG
    mute = next(row for row in clips if row["tier"] == "vae")
    assert (mute["sync"], mute["sync_z"], mute["sync_curve"]) == (None, None, None)
    video = next(row for row in read_table(late, "videos").to_pylist() if row["video_id"] == talking["video_id"])
    assert video["sync_offset_ticks"] == pytest.approx(LAG)
    assert video["sync_ticks"] == talking["sync_ticks"] == talking["n_frames"]
    assert validate(late) == []

    text = explain(late, "a_talking.mp4", 1.0).text()
    assert "lips and sound: in sync; over 85 ticks (3.4 s) the curve peaks where the sound is 3.0 ticks (1" in text
    assert "▁" * 18 + "█" + "▁" * 12 in text
    (row,) = statistics(late).sync
    assert row.seconds == pytest.approx({"in_sync": 3.4, "not_in_sync": 0, "undecided": 0, "not_measured": 0})
    assert row.offset_ms is None  # 85 ticks are too few to be sure


def test_scores_that_do_not_agree_move_a_clip_to_tier_vae(late: Path, tmp_path: Path) -> None:
    foreign = with_scores(late, tmp_path / "foreign", 1.0)
    decided = redecide(foreign, tmp_path / "out", overrides=SURE, render=True)
    row = next(row for row in decided.clips().to_pylist() if row["n_frames"] == 85 and row["sync"])
    assert (row["tier"], row["sync"]) == ("vae", "not_in_sync")
    span = next(row for row in read_table(tmp_path / "out", "spans").to_pylist() if row["outcome"] == "sync")
    assert (span["value"], span["limit"]) == (pytest.approx(1.0, rel=1e-2), 3.0)
    assert validate(tmp_path / "out") == []
    text = explain(tmp_path / "out", "a_talking.mp4", 1.0).text()
    assert "Tier diffusion: dropped as sync" in text
    assert "agreement of lips and sound, z is " in text
    assert "; kept is at least 3\n" in text


def test_moved_sound_is_that_of_the_source_to_the_sample(late: Path, small_run: SmallRun, tmp_path: Path) -> None:
    # what is not in sync enough stays in tier vae, where the sound is as it is in the source
    vae = ["rules.sync.in_sync_z=20", "rules.sync.drop=all_but_in_sync", "rules.sync.repair=auto"]
    decided = redecide(late, tmp_path / "out", overrides=[*SURE, *vae], render=True)
    row = next(row for row in decided.clips().to_pylist() if row["sync"])
    assert row["tier"] == "vae"
    assert row["sound_moved_s"] == pytest.approx(LAG * 0.04)
    info = probe(small_run.source / "a_talking.mp4")
    whole = tick_audio(info, 0, info.n_ticks)
    assert whole is not None
    samples = round(row["sound_moved_s"] * 16_000)
    moved = np.r_[whole[samples:], np.zeros(samples, np.float32)]
    number = decided.clips()["clip_id"].to_pylist().index(row["clip_id"])
    assert decided.clip(number).flac() == encode_flac(moved)
    assert "its sound was moved 120.0 ms earlier (1920 samples)" in explain(tmp_path / "out", "a_talking.mp4").text()
    assert statistics(tmp_path / "out").sync[0].n_moved == 1


def test_a_changed_repair_renders_only_the_sound_that_it_moves(
    late: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for name in ("encode_mp4", "encode_flac"):
        whole = getattr(rendering, name)
        monkeypatch.setattr(rendering, name, lambda *args, name=name, whole=whole: made.append(name) or whole(*args))
    same = redecide(late, tmp_path / "same", overrides=[], render=True)
    assert made == []
    before = Dataset(late)
    assert same.clips("all").drop_columns(["media"]).equals(before.clips("all").drop_columns(["media"]))
    assert [same.clip(n).mp4() for n in range(2)] == [before.clip(n).mp4() for n in range(2)]

    moved = redecide(late, tmp_path / "moved", overrides=["rules.sync.repair=auto"], render=True)
    assert made == ["encode_flac"]
    rows = {row["clip_id"]: row for row in moved.clips().to_pylist()}
    for row in before.clips().to_pylist():
        assert rows[row["clip_id"]]["mp4_sha256"] == row["mp4_sha256"]
        is_moved = rows[row["clip_id"]]["sound_moved_s"] is not None
        assert is_moved == (rows[row["clip_id"]]["flac_sha256"] != row["flac_sha256"]) == (row["tier"] == "diffusion")
    assert validate(tmp_path / "moved") == []
