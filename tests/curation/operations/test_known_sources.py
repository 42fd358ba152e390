"""Sources that a dataset knows: under ids of older versions, at another path, or not readable any more."""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, SmallRun, counted_picture, frame_times, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

import manifests.packing.rewrite
from curation.cli.app import app
from curation.engine.execution import Executor
from curation.operations.forget import forget
from curation.operations.run import RunReport, run
from curation.settings import CurationSettings, load_settings
from curation.sources.content import Content, fingerprint
from curation.sources.exclusions import NOBODY, Exclusions
from manifests.files.tables import read_table
from manifests.record import ExclusionList
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
"""No speech models: the videos here show nobody."""

EXECUTOR = NotingExecutor()


@pytest.fixture
def curated() -> list[str]:
    """Names of the files that were given to a worker."""
    EXECUTOR.names.clear()
    return EXECUTOR.names


def put_take(path: Path, number: int) -> Path:
    """Write a video of constant size with black at both ends, more than a MiB of it: 14 pictures of 92,160 bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    black = [np.zeros_like(counted_picture(0))] * 14
    pictures = [*black, *[counted_picture(number)] * 6, *black]
    coding = Coding(codec="rawvideo", options={})
    return write_video(path, frame_times(Fraction(25), len(pictures)), pictures, coding=coding)


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """Two takes that agree in size, first and last MiB."""
    one, other = (put_take(tmp_path / "raw" / f"take_{number}.avi", number) for number in (1, 2))
    first, second = one.read_bytes(), other.read_bytes()
    assert first != second
    assert (len(first), first[: 1 << 20], first[-1 << 20 :]) == (len(second), second[: 1 << 20], second[-1 << 20 :])
    return tmp_path / "raw"


def go(source: Path, dataset: Path, exclusions: Exclusions = NOBODY) -> RunReport:
    return run(str(source), dataset, QUIET, EXECUTOR, exclusions=exclusions)


def rows(dataset: Path) -> list[tuple[str, str | None]]:
    """Name of each file, and of the file that it is a copy of."""
    table = read_table(dataset, "videos", ["path", "duplicate_of"]).to_pylist()
    return [(Path(row["path"]).name, row["duplicate_of"] and Path(row["duplicate_of"]).name) for row in table]


@pytest.fixture
def older(takes: Path, curated: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose ids are of the edges, in which the second take is a copy of the first."""
    with monkeypatch.context() as patched:
        patched.setattr(Content, "video_id", property(lambda content: content.edges))
        go(takes, takes.parent / "dataset")
    assert rows(takes.parent / "dataset") == [("take_1.avi", None), ("take_2.avi", "take_1.avi")]
    assert curated == ["take_1.avi"]
    curated.clear()
    return takes.parent / "dataset"


def ids(dataset: Path) -> dict[str, str]:
    table = read_table(dataset, "videos", ["path", "video_id"]).to_pylist()
    return {Path(row["path"]).name: row["video_id"] for row in table}


def test_two_takes_with_the_same_edges_are_two_videos(takes: Path, curated: list[str]) -> None:
    shutil.copy(takes / "take_1.avi", takes / "z.avi")
    go(takes, takes.parent / "dataset")
    assert rows(takes.parent / "dataset") == [("take_1.avi", None), ("take_2.avi", None), ("z.avi", "take_1.avi")]
    assert curated == ["take_1.avi", "take_2.avi"]
    assert validate(takes.parent / "dataset") == []


def test_an_older_dataset_resumes_and_what_it_took_for_a_copy_is_curated(
    takes: Path, older: Path, curated: list[str]
) -> None:
    before = ids(older)["take_1.avi"]
    report = go(takes, older)
    assert curated == ["take_2.avi"]
    assert report.already_done == 1
    assert rows(older) == [("take_1.avi", None), ("take_2.avi", None)]
    assert ids(older) == {"take_1.avi": before, "take_2.avi": fingerprint(takes / "take_2.avi")}
    assert validate(older) == []
    curated.clear()
    assert go(takes, older).already_done == 2
    assert curated == []


def test_an_older_dataset_resumes_after_its_sources_were_moved(takes: Path, older: Path, curated: list[str]) -> None:
    takes.rename(takes.parent / "moved")
    go(takes.parent / "moved", older)
    assert curated == ["take_2.avi"]
    assert rows(older) == [("take_1.avi", None), ("take_2.avi", None)]


def test_an_older_record_that_may_be_of_two_files_is_made_anew(takes: Path, older: Path, curated: list[str]) -> None:
    for number in (1, 2):
        (takes / f"take_{number}.avi").rename(takes / f"{number}.avi")
    go(takes, older)
    assert curated == ["1.avi", "2.avi"]
    assert rows(older) == [("1.avi", None), ("2.avi", None)]
    assert validate(older) == []


def test_what_was_removed_from_an_older_dataset_stays_away(takes: Path, older: Path, curated: list[str]) -> None:
    forget(older, videos=["take_1.avi"])
    put_take(takes / "other.avi", 3).write_bytes(b"no video")
    go(takes, older)
    assert curated == ["other.avi"]  # both takes have the id that was removed


def test_an_older_id_in_a_list_of_videos_to_leave_out_is_heeded(
    takes: Path, older: Path, curated: list[str], tmp_path: Path
) -> None:
    listed = ExclusionList(option="--exclude-videos", sha256="0" * 64, entries=1)
    exclusions = Exclusions(videos=frozenset({ids(older)["take_1.avi"]}), lists=(listed,))
    go(takes / "take_2.avi", tmp_path / "new", exclusions=exclusions)
    assert curated == []


@pytest.fixture
def moved(small_run: SmallRun, tmp_path: Path) -> tuple[Path, Path]:
    """The sources of a dataset with clips at another place, and a copy of the dataset; the old place is still there."""
    shutil.copytree(small_run.dataset, tmp_path / "dataset")
    shutil.copytree(small_run.source, tmp_path / "new" / "place")
    return tmp_path / "new" / "place", tmp_path / "dataset"


def labels(dataset: Path, table: str) -> dict[str, tuple[str, str]]:
    columns = ["video_id", "path", "source"] + (["duplicate_of"] if table == "videos" else [])
    listed = read_table(dataset, table, columns).to_pylist()
    return {row["video_id"]: (row["path"], row["source"]) for row in listed if not row.get("duplicate_of")}


def test_all_tables_name_one_path_for_a_video_whose_source_was_moved(
    moved: tuple[Path, Path], curated: list[str]
) -> None:
    source, dataset = moved
    report = run(str(source), dataset, CurationSettings(), EXECUTOR)
    assert curated == []
    names = ["a_talking.mp4", "b_mute.mp4", "c_broken.mp4", "d_again.mp4"]
    assert read_table(dataset, "videos")["path"].to_pylist() == [str(source / name) for name in names]
    clips = labels(dataset, "clips")
    assert len(clips) == 2
    assert clips.items() <= labels(dataset, "videos").items()
    assert {source for _, source in clips.values()} == {"place"}
    ledger = [json.loads(path.read_text()) for path in (dataset / "ledger").glob("*.json")]
    assert sorted(record["path"] for record in ledger) == [str(source / name) for name in names[:3]]
    assert [line for line in report.notes if line.startswith("3 videos have moved: all tables name")]
    assert validate(dataset) == []
    again = run(str(source), dataset, CurationSettings(), EXECUTOR)
    assert not [line for line in again.notes if "moved" in line]


def test_a_run_that_is_stopped_while_paths_are_rewritten_is_completed_by_the_next(
    moved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, dataset = moved

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("write_packed", "swap_files"):
        with monkeypatch.context() as patched:
            patched.setattr(manifests.packing.rewrite, name, stopped)
            with pytest.raises(KeyboardInterrupt):
                run(str(source), dataset, CurationSettings(), EXECUTOR)
    run(str(source), dataset, CurationSettings(), EXECUTOR)
    assert labels(dataset, "clips").items() <= labels(dataset, "videos").items()
    assert len(read_table(dataset, "videos")) == 4
    assert validate(dataset) == []
    assert [path for path in dataset.rglob(".*") if path.suffix in (".new", ".part")] == []


def test_a_run_over_part_of_a_moved_source_keeps_the_rest_where_it_was(
    moved: tuple[Path, Path], small_run: SmallRun
) -> None:
    source, dataset = moved
    run(str(source / "b_mute.mp4"), dataset, CurationSettings(), EXECUTOR)
    was = small_run.source
    assert read_table(dataset, "videos")["path"].to_pylist() == sorted(
        [str(was / "a_talking.mp4"), str(source / "b_mute.mp4"), str(was / "c_broken.mp4"), str(was / "d_again.mp4")]
    )
    run(str(was / "a_talking.mp4"), dataset, CurationSettings(), EXECUTOR)
    assert labels(dataset, "clips").items() <= labels(dataset, "videos").items()


def test_a_file_that_cannot_be_read_was_not_done_by_an_earlier_run(tmp_path: Path) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    (source / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    write_video(source / "a.mp4", frame_times(Fraction(25), 3), [counted_picture(1)] * 3)
    report = run(str(source), tmp_path / "dataset", QUIET, Executor())
    assert (report.already_done, len(report.curated), len(report.failed)) == (0, 1, 1)
    arguments = ["run", "--source", str(source), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
    result = CliRunner().invoke(app, [*arguments, "--set", "speech.encoder=none", "--set", "speech.denoiser=none"])
    assert result.exit_code == 1
    assert "\n1 video had been done by an earlier run.\n" in result.output
    assert f"failed: {source / 'gone.mp4'}: unreadable: No such file or directory" in result.output


def test_hidden_files_of_a_stick_are_told_and_end_with_code_0(tmp_path: Path) -> None:
    source = tmp_path / "raw"
    (source / ".Trashes").mkdir(parents=True)
    write_video(source / "a.mp4", frame_times(Fraction(25), 3), [counted_picture(1)] * 3)
    (source / "._a.mp4").write_bytes(bytes(4096))
    (source / ".Trashes" / "gone.mp4").write_bytes(b"deleted")
    arguments = ["run", "--source", str(source), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
    result = CliRunner().invoke(app, [*arguments, "--set", "speech.encoder=none", "--set", "speech.denoiser=none"])
    assert result.exit_code == 0
    assert "2 hidden files and folders were left alone, such as .Trashes." in result.output
    assert rows(tmp_path / "dataset") == [("a.mp4", None)]
