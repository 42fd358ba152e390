"""Every line of the table of bad input: one run over a folder full of it, then what became of each file."""

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.bad_input import NAMES, TALKING, UNREADABLE, make_bad_input
from helpers.made_videos import TalkingFace
from typer.testing import CliRunner, Result

from curation.cli.app import app
from curation.engine.event_log import events_path
from foundation.array_types import RgbImage
from foundation.storage.path_text import path_of_text, text_of_path
from manifests.files.media import read_frames
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member
from manifests.reports.validate import validate
from manifests.vocabulary import TIERS

pytestmark = pytest.mark.slow  # one run over all files, about a minute


def hashes(root: Path) -> dict[Path, str]:
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run over all bad input."""

    root: Path
    dataset: Path
    result: Result
    before: dict[Path, str]
    rows: dict[str, dict[str, Any]]
    """By file name; of the two of one name, the last."""
    spans: list[dict[str, Any]]
    clips: list[dict[str, Any]]

    def outcomes(self, name: str, tier: str) -> list[tuple[str, float, float]]:
        """Outcome, start and end of the spans of a file, in order."""
        own = [s for s in self.spans if s["video_id"] == self.rows[name]["video_id"] and s["tier"] == tier]
        return [(s["outcome"], s["start_s"], s["end_s"]) for s in sorted(own, key=lambda s: s["start_s"])]

    def clips_of(self, name: str) -> list[dict[str, Any]]:
        return [clip for clip in self.clips if clip["video_id"] == self.rows[name]["video_id"]]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Outcome:
    root = tmp_path_factory.mktemp("bad") / "raw"
    make_bad_input(root, talking_face)
    before = hashes(root)
    real = os.scandir

    def refuse(path: str | int) -> object:  # a superuser may list every folder, so the system's answer is made here
        if not isinstance(path, int) and b"clos" in os.fsencode(path):  # an open folder: temporary files being removed
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    dataset = root.parent / "dataset"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        arguments = ["run", "--source", str(root), "--out", str(dataset), "--preset", "embedded"]
        arguments += ["--executor", "ray", "--workers", "2"]  # names and files of every kind pass through the pool
        result = CliRunner().invoke(app, [*arguments, "--set", "speech.encoder=none", "--set", "speech.denoiser=none"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    rows = {path_of_text(row["path"]).name: row for row in read_table(dataset, "videos").to_pylist()}
    return Outcome(
        root=root,
        dataset=dataset,
        result=result,
        before=before,
        rows=rows,
        spans=read_table(dataset, "spans").to_pylist(),
        clips=read_table(dataset, "clips").to_pylist(),
    )


def test_the_run_ends_and_says_which_files_and_folders_failed(outcome: Outcome) -> None:
    assert outcome.result.exit_code == 1
    for name in UNREADABLE:
        assert f"{text_of_path(Path(name))}: " in outcome.result.output
    assert "clos%E9d: Permission denied" in outcome.result.output


def test_no_file_costs_a_worker(outcome: Outcome) -> None:
    events = [json.loads(line) for line in events_path(outcome.dataset).read_text().splitlines()]
    assert {event["worker"] for event in events} - {None}
    assert [event for event in events if event["event"] in ("loss", "retry", "quarantine")] == []


def test_every_original_is_as_it_was(outcome: Outcome) -> None:
    assert hashes(outcome.root) == outcome.before


def test_every_file_has_one_row(outcome: Outcome) -> None:
    paths = [path_of_text(row["path"]) for row in read_table(outcome.dataset, "videos").to_pylist()]
    assert sorted(paths) == sorted([*outcome.before, outcome.root / "gone.mp4"])


def test_the_dataset_is_valid(outcome: Outcome) -> None:
    assert validate(outcome.dataset) == []


def test_the_spans_of_both_tiers_tile_every_readable_video(outcome: Outcome) -> None:
    readable = [name for name, row in outcome.rows.items() if row["status"] == "ok" and not row["duplicate_of"]]
    assert len(readable) == len(TALKING) + len(NAMES) + 8
    for name in readable:
        for tier in TIERS:
            spans = outcome.outcomes(name, tier)
            assert spans[0][1] == 0.0, name
            assert spans[-1][2] == pytest.approx(outcome.rows[name]["duration_s"]), name
            assert all(a[2] == b[1] for a, b in pairwise(spans)), name


@pytest.mark.parametrize(("name", "code"), UNREADABLE.items())
def test_a_file_without_pictures_fails_with_its_code(outcome: Outcome, name: str, code: str) -> None:
    row = outcome.rows[name]
    assert (row["status"], row["error_code"]) == ("failed", code)
    assert row["error_detail"]
    assert row["n_clips"] == 0


@pytest.mark.parametrize("name", TALKING)
def test_a_talking_face_is_kept_whatever_the_form_of_its_file(outcome: Outcome, name: str) -> None:
    row, (clip,) = outcome.rows[name], outcome.clips_of(name)
    assert row["status"] == "ok"
    assert row["duration_s"] == pytest.approx(4.0 if name == "variable.mp4" else 3.4, abs=0.041)
    assert clip["tier"] == "diffusion"
    assert clip["n_frames"] >= 75
    assert row["kept_diffusion_s"] == pytest.approx(clip["n_frames"] / 25)


@pytest.mark.parametrize("name", TALKING)
def test_the_crop_shows_the_same_upright_face_whatever_the_form(outcome: Outcome, name: str) -> None:
    def first_picture(of: str) -> tuple[np.ndarray, RgbImage]:
        (clip,) = outcome.clips_of(of)
        mp4 = read_member(outcome.dataset, clip["media"], MemberRange(offset=clip["mp4_offset"], size=clip["mp4_size"]))
        return np.array(clip["landmarks"][0], np.float64).reshape(-1, 2), next(read_frames(mp4).frames)

    assert outcome.rows[name]["rotation"] == (90 if name == "turned.mp4" else 0)
    points_px, picture = first_picture(name)
    plain_points_px, plain = first_picture("plain.mp4")
    assert np.abs(points_px - plain_points_px).mean() < 4.0
    likeness = np.corrcoef(picture[..., 1].ravel(), plain[..., 1].ravel())[0, 1]
    assert likeness > 0.9


def test_of_a_file_cut_short_the_readable_part_is_used(outcome: Outcome) -> None:
    for tier in TIERS:
        spans = outcome.outcomes("truncated.mp4", tier)
        assert [span[0] for span in spans] == ["kept", "undecodable"]
        assert 3.0 <= spans[0][2] <= 5.5
        assert spans[1][2] == pytest.approx(6.48, abs=0.041)


def test_damage_in_the_middle_costs_the_middle(outcome: Outcome) -> None:
    for tier in TIERS:
        spans = outcome.outcomes("damaged.mp4", tier)
        lost = [span for span in spans if span[0] == "undecodable"]
        assert lost
        assert 3.0 < lost[0][1] < lost[-1][2] < 5.0
        assert lost[-1][2] - lost[0][1] <= 1.2
        assert outcome.rows["damaged.mp4"][f"kept_{tier}_s"] > 6.0


def test_a_video_without_sound_serves_the_vae_alone(outcome: Outcome) -> None:
    row, (clip,) = outcome.rows["no_audio.mp4"], outcome.clips_of("no_audio.mp4")
    assert row["has_audio"] is False
    assert outcome.outcomes("no_audio.mp4", "diffusion") == [("silence", 0.0, 3.4)]
    assert outcome.outcomes("no_audio.mp4", "vae") == [("kept", 0.0, 3.4)]
    assert (clip["tier"], clip["flac_size"], clip["speech_ratio"]) == ("vae", None, None)


@pytest.mark.parametrize(("name", "heard"), [("short_audio.mp4", 0), ("late_audio.mp4", 1)])
def test_where_the_sound_track_has_nothing_there_is_silence(outcome: Outcome, name: str, heard: int) -> None:
    assert {span[0] for span in outcome.outcomes(name, "vae")} == {"kept"}
    halves = outcome.outcomes(name, "diffusion")
    assert [span[0] for span in halves] == (["kept", "silence"] if heard == 0 else ["silence", "kept"])
    assert halves[0][2] == pytest.approx(3.24, abs=0.3)
    assert outcome.rows[name]["kept_vae_s"] == pytest.approx(6.48)


def test_one_picture_and_one_picture_a_second_are_too_short_or_handled(outcome: Outcome) -> None:
    assert outcome.rows["one_picture.mp4"]["duration_s"] == pytest.approx(0.04)
    assert outcome.rows["one_picture.mp4"]["n_clips"] == 0
    assert outcome.rows["one_fps.mp4"]["duration_s"] == pytest.approx(4.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_curated_under_its_name(outcome: Outcome, name: str) -> None:
    assert outcome.rows[name]["status"] == "ok"
    assert path_of_text(outcome.rows[name]["path"]) == outcome.root / name


def test_files_of_one_name_are_two_videos_of_two_sources(outcome: Outcome) -> None:
    rows = [row for row in read_table(outcome.dataset, "videos").to_pylist() if row["path"].endswith("same.mp4")]
    assert [row["source"] for row in rows] == ["first", "second"]
    assert len({row["video_id"] for row in rows}) == 2


def test_the_same_content_twice_is_analysed_once(outcome: Outcome) -> None:
    first, second = outcome.rows["plain.mp4"], outcome.rows["zz_copy_of_plain.mp4"]
    assert second["duplicate_of"] == first["path"]
    assert (second["video_id"], second["n_clips"]) == (first["video_id"], 0)
    assert len(outcome.clips_of("plain.mp4")) == 1
