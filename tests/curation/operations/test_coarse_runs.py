"""Runs that measure only where a clip can lie: what they keep, and how more is measured later."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, write_video
from helpers.older_datasets import Steady
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor, RunHooks
from curation.engine.inline import curate_inline
from curation.engine.worker import WorkerPlan
from curation.model_registry import SYNC, register_model
from curation.operations.decide import redecide
from curation.operations.plan import Sampling, plan
from curation.operations.run import run
from curation.output.frame_rows import GRID_COLUMNS, evidence_of_frames, grid_evidence
from curation.perception.cards import SyncCard
from curation.settings import CurationSettings, load_settings
from curation.sources.discover import discover
from curation.sources.entries import SourceError
from foundation.array_types import RgbImage
from manifests.files.tables import read_table
from manifests.packing.unmeasured import unmeasured_ticks_of
from manifests.reports.explain import explain
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate
from manifests.schema.videos import TIMING_COLUMNS

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none", "perception.sync=none"])
EVERY = load_settings(QUIET, None, ["analysis.every_tick=true"])
WINDOWS = load_settings(QUIET, None, ["windows.length_s=8"])
LOOSE = ["rules.small_face.loose_px=50"]
TALKING, NOBODY, SMALL = 85, 125, 90
"""Ticks of the parts of `two_faces.mp4`."""
N = TALKING + NOBODY + SMALL


def pictures(face: TalkingFace, n: int) -> list[RgbImage]:
    """A face of 154 px, then nobody, then the face at 0.4 of its size, 62 px."""
    shown = [face.at(Fraction(tick, 25)) for tick in range(TALKING)]
    shown += [np.full((320, 320, 3), 90, np.uint8)] * NOBODY
    for tick in range(SMALL):
        picture = np.full((320, 320, 3), 90, np.uint8)
        large = face.at(Fraction(tick, 25)).astype(np.float32)
        rows = np.linspace(0, 319, 128).astype(int)
        picture[96:224, 96:224] = large[rows][:, rows].astype(np.uint8)
        shown.append(picture)
    return shown[:n]


@pytest.fixture(scope="module")
def source(talking_face: TalkingFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coarse") / "raw"
    folder.mkdir()
    for name, n in (("two_faces.mp4", N), ("one_face.mp4", TALKING)):
        sound = talking_face.sound(0.0, 3.4)
        write_video(folder / name, frame_times(Fraction(25), n), pictures(talking_face, n), sound=sound)
    return folder


@pytest.fixture(scope="module")
def coarse(source: Path) -> Path:
    run(str(source), source.parent / "coarse", QUIET, Executor())
    return source.parent / "coarse"


@pytest.fixture(scope="module")
def every(source: Path) -> Path:
    run(str(source), source.parent / "every", EVERY, Executor())
    return source.parent / "every"


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    def copy(dataset: Path) -> Path:
        return Path(shutil.copytree(dataset, tmp_path / "dataset"))

    return copy


def media(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((dataset / "media").iterdir())}


def require_same(ours: Path, theirs: Path, *tables: str) -> None:
    for name in tables:
        one, other = read_table(ours, name), read_table(theirs, name)
        dropped = [column for column in TIMING_COLUMNS if column in one.column_names]
        assert one.drop_columns(dropped).equals(other.drop_columns(dropped)), name
    assert media(ours) == media(theirs)


def require_same_of_two_faces(ours: Path, theirs: Path) -> None:
    """Compare spans and clips of one video, in datasets that hold others, too."""
    (row,) = [row for row in read_table(ours, "videos").to_pylist() if row["path"].endswith("two_faces.mp4")]
    for name in ("spans", "clips"):
        rows = [read_table(dataset, name).to_pylist() for dataset in (ours, theirs)]
        one, other = ([row_ for row_ in table if row_["video_id"] == row["video_id"]] for table in rows)
        for clip in (*one, *other) if name == "clips" else ():
            for place in ("media", "mp4_offset", "flac_offset"):
                del clip[place]
        assert one == other, name


def test_limits_that_ask_for_more_are_refused_with_the_videos_and_nothing_is_written(
    coarse: Path, tmp_path: Path
) -> None:
    counted = unmeasured_ticks_of(coarse)
    (n_missing,) = counted.values()
    assert NOBODY < n_missing < NOBODY + SMALL
    arguments = ["decide", str(coarse), "--out", str(tmp_path / "out"), "--set", *LOOSE]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "1 video; `gaia-curate run` into this dataset" in result.output
    assert "--set analysis.every_tick=true" in result.output
    assert "two_faces.mp4" in result.output
    assert "one_face.mp4" not in result.output
    (line,) = [line for line in result.output.splitlines() if "two_faces" in line]
    assert 0.5 < float(line.split()[0]) <= n_missing / 25
    strict = redecide(coarse, tmp_path / "strict", overrides=["rules.small_face.strict_px=120"])
    assert [row["tier"] for row in strict.spans().to_pylist() if row["outcome"] == "kept"] == ["diffusion", "vae"] * 2


def test_what_the_grid_shows_is_read_as_the_whole_evidence_has_it(coarse: Path) -> None:
    (video_id,) = unmeasured_ticks_of(coarse)
    rows = read_table(coarse, "frames")
    rows = rows.filter([one == video_id for one in rows["video_id"].to_pylist()])
    whole, seen = evidence_of_frames(rows, N), grid_evidence(rows.select(GRID_COLUMNS), N)
    assert whole.grid is not None
    on_grid = whole.grid[whole.faces.tick]
    for name in ("tick", "box_px", "score", "key_points_px"):
        np.testing.assert_array_equal(getattr(whole.faces, name)[on_grid], getattr(seen.faces, name))
    for name in ("grid", "measured", "speech_prob"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(seen, name))


def test_reports_know_what_was_not_measured(coarse: Path) -> None:
    assert validate(coarse) == []
    (n_missing,) = unmeasured_ticks_of(coarse).values()
    share = 1 - n_missing / (N + TALKING)
    told = statistics(coarse)
    assert told.unmeasured_s == pytest.approx(n_missing / 25)
    assert f"Measured on every tick: {share:.0%}" in told.text()
    first = (TALKING + NOBODY // 2) / 25
    text = explain(coarse, "two_faces.mp4").text()
    assert "Measured on every tick: 0:00.00 to 0:05." in text
    assert "its borders are known to the grid only" in text
    text = explain(coarse, "two_faces.mp4", first).text()
    assert "its borders are known to the grid only" in text
    assert "not measured, for no clip can lie there" in text


def test_a_plan_counts_videos_to_be_measured_further(source: Path, coarse: Path) -> None:
    with pytest.raises(SourceError, match="nothing to plan"):
        plan(str(source), coarse, QUIET, Executor())


@pytest.mark.slow
def test_clips_spans_and_media_are_those_of_measuring_every_tick(coarse: Path, every: Path) -> None:
    require_same(coarse, every, "videos", "spans", "clips")
    ours, theirs = read_table(coarse, "frames"), read_table(every, "frames")
    assert theirs["measured"].to_pylist() == [True] * (N + TALKING)
    # between anchors that fail, groups are not searched
    searched = list(zip(ours["grid"].to_pylist(), theirs["grid"].to_pylist(), strict=True))
    assert (True, False) not in searched
    kept = ours["measured"]
    assert ours.filter(kept).equals(theirs.filter(kept))
    assert statistics(every).unmeasured_s == 0.0
    assert "every tick" not in explain(every, "two_faces.mp4").text()


@pytest.mark.slow
def test_a_run_measures_them_and_then_limits_can_be_loosened(
    source: Path, coarse: Path, every: Path, copied: Callable[[Path], Path], tmp_path: Path
) -> None:
    dataset = copied(coarse)
    forecast = plan(str(source), dataset, EVERY, Executor(), sampling=Sampling(at_least=1))
    assert forecast.n_videos == 1
    assert forecast.forecast.kept_s["vae"].expected == pytest.approx(3.4, abs=0.5)
    report = run(str(source), dataset, EVERY, Executor())
    assert [record.path.rpartition("/")[2] for record in report.curated] == ["two_faces.mp4"]
    assert report.already_done == 1
    assert "1 video of an earlier run: measured on every tick" in " ".join(report.notes)
    require_same(dataset, every, "videos", "frames", "spans", "clips")
    record = json.loads((dataset / "dataset.json").read_text())
    assert record == json.loads((every / "dataset.json").read_text())
    assert validate(dataset) == []
    assert run(str(source), dataset, EVERY, Executor()).already_done == 2
    ours, theirs = (redecide(one, tmp_path / f"{one.name}_loose", overrides=LOOSE) for one in (dataset, every))
    assert ours.spans().equals(theirs.spans())
    kept = [row["outcome"] for row in ours.spans().to_pylist() if row["tier"] == "vae"]
    assert kept.count("kept") == 3


@pytest.mark.slow
def test_a_run_in_windows_that_was_killed_or_told_to_measure_more_goes_on(
    source: Path, coarse: Path, every: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_faces, whole = str(source / "two_faces.mp4"), tmp_path / "whole"
    run(two_faces, whole, WINDOWS, Executor())
    require_same_of_two_faces(whole, coarse)
    assert 0 < sum(unmeasured_ticks_of(whole).values()) <= sum(unmeasured_ticks_of(coarse).values())
    dataset, ended = tmp_path / "dataset", []
    run(two_faces, dataset, WINDOWS, Executor(), limit=0)
    videos, hooks = discover(two_faces).videos, RunHooks(on_event=ended.append, stopped=lambda: len(ended) > 3)
    list(curate_inline(WorkerPlan(settings=WINDOWS, dataset=dataset), videos, hooks))
    assert list((dataset / "windows").iterdir())
    shutil.copytree(dataset, tmp_path / "more")
    run(two_faces, dataset, WINDOWS, Executor())
    require_same(dataset, whole, "frames", "spans", "clips")

    # windows that were left half-way are not taken for what every_tick asks for
    more = tmp_path / "more"
    run(two_faces, more, load_settings(WINDOWS, None, ["analysis.every_tick=true"]), Executor())
    assert unmeasured_ticks_of(more) == {}
    require_same_of_two_faces(more, every)

    # a comparison that is added later measures nothing further, and forgets nothing of what was not
    monkeypatch.setattr(SYNC, "_own", {})
    register_model(SyncCard(name="steady", scheme="mediapipe478", load=lambda _settings: Steady()))
    before = read_table(whole, "frames", ["measured", "grid", "n_faces"])
    run(two_faces, whole, load_settings(WINDOWS, None, ["perception.sync=steady"]), Executor())
    assert read_table(whole, "frames", ["measured", "grid", "n_faces"]).equals(before)
    assert read_table(whole, "frames", ["sync_scores"])["sync_scores"].null_count < N
    assert validate(whole) == []
