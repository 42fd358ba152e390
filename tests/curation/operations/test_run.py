import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from helpers.made_videos import SmallRun, counted_picture, frame_times, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

import curation.engine.worker
import curation.operations.run
from curation.cli.app import app
from curation.engine.event_log import events_path
from curation.engine.execution import Executor
from curation.media.probe import VideoInfo
from curation.operations.decide import redecide
from curation.operations.run import RunReport, run
from curation.output.folder import DatasetFolderError
from curation.output.ledger import LedgerError
from curation.settings import CurationSettings, load_settings
from curation.sources.content import fingerprint
from curation.sources.entries import SourceError
from foundation.storage.staged import StagedFiles
from manifests.files.tables import read_table
from manifests.reports.validate import validate
from manifests.schema.videos import TIMING_COLUMNS

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
"""No speech models: the videos here show nobody."""


def contents(dataset: Path) -> dict[str, object]:
    """Every file of a dataset by name: its bytes, or where seconds spent stand in it, everything but these.

    The event log, which is all times, is left out.
    """
    found: dict[str, object] = {}
    for path in sorted(path for path in dataset.rglob("*") if path.is_file() and path != events_path(dataset)):
        name = str(path.relative_to(dataset))
        if name.startswith("videos/"):
            found[name] = [without_timings(row) for row in read_table(dataset, "videos").to_pylist()]
        elif name.startswith("ledger/"):
            found[name] = without_timings(json.loads(path.read_text()))
        else:
            found[name] = path.read_bytes()
    return found


def without_timings(row: dict[str, Any]) -> dict[str, Any]:
    assert set(TIMING_COLUMNS) <= set(row)
    return {name: value for name, value in row.items() if name not in TIMING_COLUMNS}


def assert_equal(first: Path, second: Path) -> None:
    ours, theirs = contents(first), contents(second)
    assert list(ours) == list(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def put_video(path: Path, number: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_video(path, frame_times(Fraction(25), 3), [counted_picture(number)] * 3)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three videos of three pictures each."""
    for number, name in enumerate(("a", "b", "c")):
        put_video(tmp_path / "raw" / f"{name}.mp4", number)
    return tmp_path / "raw"


EXECUTOR = NotingExecutor()


@pytest.fixture
def curated() -> list[str]:
    """Names of the files that were given to a worker."""
    EXECUTOR.names.clear()
    return EXECUTOR.names


def go(source: Path, settings: CurationSettings = QUIET, *, limit: int | None = None) -> RunReport:
    return run(str(source), source.parent / "dataset", settings, EXECUTOR, limit=limit)


def by_name(dataset: Path) -> dict[str, dict[str, Any]]:
    return {Path(row["path"]).name: row for row in read_table(dataset, "videos").to_pylist()}


def test_what_became_of_every_file_is_in_its_row(small_run: SmallRun) -> None:
    rows = by_name(small_run.dataset)
    assert [row["status"] for row in rows.values()] == ["ok", "ok", "failed", "ok"]
    assert (rows["a_talking.mp4"]["kept_diffusion_s"], rows["a_talking.mp4"]["n_clips"]) == (3.4, 1)
    assert (rows["b_mute.mp4"]["kept_diffusion_s"], rows["b_mute.mp4"]["kept_vae_s"]) == (0.0, 3.4)
    assert rows["c_broken.mp4"]["error_code"] == "unreadable"
    assert rows["d_again.mp4"]["duplicate_of"] == rows["a_talking.mp4"]["path"]
    assert validate(small_run.dataset) == []


@pytest.mark.slow
def test_the_same_videos_give_the_same_bytes(small_run: SmallRun, tmp_path: Path) -> None:
    run(str(small_run.source), tmp_path / "again", CurationSettings(), Executor())
    assert_equal(tmp_path / "again", small_run.dataset)


@pytest.mark.slow
def test_two_ray_workers_give_what_one_process_gives(small_run: SmallRun, tmp_path: Path) -> None:
    report = run(str(small_run.source), tmp_path / "ray", CurationSettings(), Executor(kind="ray", workers=2))
    assert [record.path for record in report.records] == sorted(map(str, small_run.source.iterdir()))
    assert_equal(tmp_path / "ray", small_run.dataset)


def test_a_run_goes_on_where_it_was_stopped(source: Path, curated: list[str]) -> None:
    first = go(source, limit=1)
    assert len(first.records) == 1
    second = go(source)
    assert curated == ["a.mp4", "b.mp4", "c.mp4"]
    assert second.already_done == 1
    assert len(by_name(source.parent / "dataset")) == 3
    run(str(source), source.parent / "at_once", QUIET, Executor())
    assert_equal(source.parent / "dataset", source.parent / "at_once")


def test_a_second_run_does_nothing_and_says_so(source: Path, curated: list[str]) -> None:
    go(source)
    before = contents(source.parent / "dataset")
    curated.clear()
    arguments = ["run", "--source", str(source), "--out", str(source.parent / "dataset"), "--preset", "embedded"]
    result = CliRunner().invoke(app, [*arguments, "--set", "speech.encoder=none", "--set", "speech.denoiser=none"])
    assert result.exit_code == 0
    assert curated == []
    assert "3 videos had been done by an earlier run" in result.output
    assert contents(source.parent / "dataset") == before


def test_a_renamed_file_is_known_again_under_its_new_name(source: Path, curated: list[str]) -> None:
    go(source)
    curated.clear()
    (source / "b.mp4").rename(source / "z.mp4")
    go(source)
    assert curated == []
    rows = by_name(source.parent / "dataset")
    assert list(rows) == ["a.mp4", "c.mp4", "z.mp4"]
    assert validate(source.parent / "dataset") == []


def test_a_replaced_file_is_curated_and_the_others_are_not(source: Path, curated: list[str]) -> None:
    go(source)
    curated.clear()
    old = fingerprint(source / "b.mp4")
    put_video(source / "b.mp4", 9)
    go(source)
    assert curated == ["b.mp4"]
    dataset = source.parent / "dataset"
    assert [path.name for path in dataset.rglob("*") if old in path.name] == []
    assert list(by_name(dataset)) == ["a.mp4", "b.mp4", "c.mp4"]
    assert validate(dataset) == []


def test_what_an_earlier_run_kept_stays_when_fewer_files_are_named(source: Path) -> None:
    shutil.copy(source / "a.mp4", source / "d.mp4")
    go(source)
    before = contents(source.parent / "dataset")
    go(source, limit=1)
    assert contents(source.parent / "dataset") == before
    run(str(source / "c.mp4"), source.parent / "dataset", QUIET, EXECUTOR)
    rows = by_name(source.parent / "dataset")
    assert {name: row["video_id"] for name, row in rows.items()} == {
        path.name: fingerprint(path) for path in source.iterdir()
    }
    assert rows["d.mp4"]["duplicate_of"] == rows["a.mp4"]["path"]
    assert validate(source.parent / "dataset") == []


def test_other_settings_do_not_go_into_the_same_dataset(source: Path) -> None:
    go(source)
    before = contents(source.parent / "dataset")
    other = load_settings(QUIET, None, ["rules.frontal.strict_deg=7"])
    was = CurationSettings().rules.frontal.strict_deg
    with pytest.raises(DatasetFolderError, match=rf"rules\.frontal\.strict_deg: 7\.0, was {was}"):
        go(source, other)
    assert contents(source.parent / "dataset") == before


def test_a_bug_of_ours_costs_one_video(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = curation.engine.worker.analyze_ranges

    def failing(info: VideoInfo, *arguments: object) -> object:
        if info.path.name == "b.mp4":
            raise ZeroDivisionError("made by the test")
        return real(info, *arguments)

    monkeypatch.setattr(curation.engine.worker, "analyze_ranges", failing)
    report = go(source)
    assert [record.status for record in report.records] == ["ok", "failed", "ok"]
    row = by_name(source.parent / "dataset")["b.mp4"]
    assert (row["error_code"], row["error_detail"]) == ("internal", "ZeroDivisionError: made by the test")
    assert validate(source.parent / "dataset") == []


def test_a_full_disk_stops_the_run_and_what_was_written_before_counts(
    source: Path, curated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = source.parent / "dataset"
    second = fingerprint(source / "b.mp4")
    real = StagedFiles.replacing

    def full(self: StagedFiles, path: Path) -> AbstractContextManager[BinaryIO]:
        if path.name == f"{second}.parquet" and path.parent.name == "spans":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(self, path)

    arguments = ["run", "--source", str(source), "--out", str(dataset), "--preset", "embedded"]
    arguments += ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    with monkeypatch.context() as patched:
        patched.setattr(StagedFiles, "replacing", full)
        stopped = CliRunner().invoke(app, arguments)
    assert stopped.exit_code == 3
    assert "No space left on device" in stopped.output
    assert [path.stem for path in (dataset / "ledger").glob("*.json")] == [fingerprint(source / "a.mp4")]
    curated.clear()
    go(source)
    assert curated == ["b.mp4", "c.mp4"]
    assert validate(dataset) == []


def test_a_damaged_record_is_named_with_the_way_on(source: Path, curated: list[str]) -> None:
    go(source)
    curated.clear()
    record = source.parent / "dataset" / "ledger" / f"{fingerprint(source / 'b.mp4')}.json"
    record.write_bytes(record.read_bytes()[:20])
    with pytest.raises(LedgerError, match=rf"{record.name}: .*remove it to curate that video again"):
        go(source)
    record.unlink()
    go(source)
    assert curated == ["b.mp4"]


CHANGED = ["rules.too_short.min_s=2", "rules.frontal.strict_deg=9", "rules.silence.max_pause_s=0.2"]


@pytest.mark.slow
def test_decide_and_render_give_what_a_run_with_these_rules_gives(small_run: SmallRun, tmp_path: Path) -> None:
    settings = load_settings(CurationSettings(), None, CHANGED)
    run(str(small_run.source), tmp_path / "run", settings, Executor())
    redecide(small_run.dataset, tmp_path / "decided", None, CHANGED, render=True)
    spans = read_table(tmp_path / "run", "spans")
    assert not spans.equals(read_table(small_run.dataset, "spans"))
    assert_equal(tmp_path / "decided", tmp_path / "run")
    assert validate(tmp_path / "decided") == []


MODELS = ("mediapipe", "ai_edge_litert", "dlib", "onnxruntime", "torch", "cv2", "ctranslate2", "silero_vad")


def test_decide_needs_no_model(small_run: SmallRun, tmp_path: Path) -> None:
    arguments = ["decide", str(small_run.dataset), "--out", str(tmp_path / "out"), "--set", CHANGED[0]]
    script = f"""
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {MODELS!r}:
            raise ImportError(name + " was imported")

sys.meta_path.insert(0, Refusing())
from curation.cli.app import app
app({arguments!r})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "vae" in done.stdout
    redecide(small_run.dataset, tmp_path / "here", None, CHANGED[:1], render=False)
    assert_equal(tmp_path / "out", tmp_path / "here")


def test_decide_with_the_rules_of_before_gives_the_spans_of_before(small_run: SmallRun, tmp_path: Path) -> None:
    redecide(small_run.dataset, tmp_path / "same", None, [], render=False)
    for part in ("spans", "frames"):
        again, before = (read_table(dataset, part) for dataset in (tmp_path / "same", small_run.dataset))
        # in words, for the scores of lips and sound hold NaN, which equals nothing
        assert [repr(column.to_pylist()) for column in again] == [repr(column.to_pylist()) for column in before]


def test_decide_tells_when_the_source_is_not_there_to_render(small_run: SmallRun, tmp_path: Path) -> None:
    shutil.copytree(small_run.source, tmp_path / "raw")
    settings = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
    run(str(tmp_path / "raw" / "b_mute.mp4"), tmp_path / "dataset", settings, Executor())
    (tmp_path / "raw" / "b_mute.mp4").unlink()
    with pytest.raises(SourceError, match=r"b_mute\.mp4 cannot be read: No such file .*its clips cannot be rendered"):
        redecide(tmp_path / "dataset", tmp_path / "out", None, [], render=True)
