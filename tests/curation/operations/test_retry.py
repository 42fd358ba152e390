"""Another attempt at videos that failed, and at nothing else."""

from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from typer.testing import CliRunner

import curation.engine.worker
from curation.cli.app import app
from curation.engine.execution import Executor
from curation.media.probe import VideoInfo
from curation.operations.retry import retry
from curation.operations.run import run
from curation.settings import CurationSettings, load_settings
from curation.sources.entries import SourceError
from manifests.files.tables import read_table
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three videos of three pictures each, and a copy of one that fails."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number, name in enumerate(("a", "b", "c")):
        write_video(folder / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    (folder / "copy_of_b.mp4").write_bytes((folder / "b.mp4").read_bytes())
    return folder


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """By the name of a file, what analysing it raises."""
    raised: dict[str, Exception] = {}
    real = curation.engine.worker.analyze_ranges

    def analyze(info: VideoInfo, *arguments: object) -> object:
        if info.path.name in raised:
            raise raised[info.path.name]
        return real(info, *arguments)

    monkeypatch.setattr(curation.engine.worker, "analyze_ranges", analyze)
    return raised


@pytest.fixture
def dataset(source: Path, tmp_path: Path, failing: dict[str, Exception]) -> Path:
    """Of the three, `b` and `c` failed."""
    failing.update({"b.mp4": ZeroDivisionError("made"), "c.mp4": ValueError("made")})
    run(str(source), tmp_path / "dataset", QUIET, Executor())
    return tmp_path / "dataset"


def statuses(dataset: Path) -> dict[str, str]:
    rows = read_table(dataset, "videos", ["path", "status", "duplicate_of"]).to_pylist()
    return {Path(row["path"]).name: row["status"] for row in rows if row["duplicate_of"] is None}


def test_what_failed_is_curated_again_and_nothing_else(dataset: Path, failing: dict[str, Exception]) -> None:
    assert statuses(dataset) == {"a.mp4": "ok", "b.mp4": "failed", "c.mp4": "failed"}
    del failing["b.mp4"]
    failing["a.mp4"] = AssertionError("a.mp4 was curated again")
    records = retry(dataset, Executor()).records
    assert [(Path(record.path).name, record.status) for record in records] == [("b.mp4", "ok"), ("c.mp4", "failed")]
    assert statuses(dataset) == {"a.mp4": "ok", "b.mp4": "ok", "c.mp4": "failed"}
    assert validate(dataset) == []


def test_one_video_by_its_name(dataset: Path, failing: dict[str, Exception]) -> None:
    failing.clear()
    retry(dataset, Executor(), videos=["c.mp4"])
    assert statuses(dataset) == {"a.mp4": "ok", "b.mp4": "failed", "c.mp4": "ok"}


def test_a_replaced_file_is_left_to_run(dataset: Path, source: Path) -> None:
    write_video(source / "b.mp4", frame_times(Fraction(25), 3), [counted_picture(7)] * 3)
    with pytest.raises(SourceError, match=r"b\.mp4 has other content than before: `gaia-curate run`"):
        retry(dataset, Executor())
    assert statuses(dataset)["c.mp4"] == "failed"


def test_the_command_says_what_became_of_them_and_fails_while_some_do(
    dataset: Path, failing: dict[str, Exception]
) -> None:
    del failing["b.mp4"]
    done = CliRunner().invoke(app, ["retry", str(dataset), "--failed"])
    assert done.exit_code == 1, done.output
    assert "1 of 2 videos ok now." in done.output
    assert "c.mp4: internal: ValueError: made" in done.output
    failing.clear()
    assert CliRunner().invoke(app, ["retry", str(dataset), "--code", "internal"]).exit_code == 0
    nothing = CliRunner().invoke(app, ["retry", str(dataset), "--failed"])
    assert nothing.exit_code == 2
    assert "nothing to retry" in nothing.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say which: --failed, --code or --video"),
        (
            ["--code", "unreadible"],
            "--code unreadible: unknown; known are unreadable, no_video_stream, decoder_unfit, internal",
        ),
        (["--code", "timed_out"], "no video that is asked for has failed"),
    ],
)
def test_wrong_usage_is_told(dataset: Path, options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["retry", str(dataset), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
