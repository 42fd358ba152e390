"""Lists of people and videos to leave out, over made videos of a few pictures."""

import csv
import shutil
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.execution import Executor
from curation.operations.run import RunReport, run
from curation.settings import CurationSettings, load_settings
from curation.sources.content import fingerprint
from curation.sources.entries import SourceError
from curation.sources.exclusions import names_of, read_exclusions, unused
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])

SPEAKERS = {"a.mp4": "anna", "b.mp4": "bert", "c.mp4": "anna", "d.mp4": "cléo"}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A CSV list of four videos, with who speaks in them."""
    (tmp_path / "raw").mkdir()
    for number, name in enumerate(SPEAKERS):
        write_video(tmp_path / "raw" / name, frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    rows = [[f"raw/{name}", speaker] for name, speaker in SPEAKERS.items()]
    with (tmp_path / "talks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "speaker_id"], *rows])
    return tmp_path / "talks.csv"


EXECUTOR = NotingExecutor()


@pytest.fixture
def decoded() -> list[str]:
    """Names of the files that were given to a worker."""
    EXECUTOR.names.clear()
    return EXECUTOR.names


def put_list(path: Path, *entries: str) -> Path:
    path.write_text("".join(f"{entry}\n" for entry in entries), encoding="utf-8")
    return path


def go(source: Path, *, speakers: Path | None = None, videos: Path | None = None) -> RunReport:
    lists = read_exclusions(speakers, videos)
    return run(str(source), source.parent / "dataset", QUIET, EXECUTOR, exclusions=lists)


def status_by_name(dataset: Path) -> dict[str, str]:
    return {Path(row["path"]).name: row["status"] for row in read_table(dataset, "videos").to_pylist()}


def test_who_is_on_the_list_is_not_decoded_and_stands_in_the_table(listed: Path, decoded: list[str]) -> None:
    report = go(listed, speakers=put_list(listed.parent / "out.txt", "anna", "", "  "))
    assert decoded == ["b.mp4", "d.mp4"]
    assert (report.excluded, report.failed) == (2, ())
    dataset = listed.parent / "dataset"
    assert status_by_name(dataset) == {"a.mp4": "excluded", "b.mp4": "ok", "c.mp4": "excluded", "d.mp4": "ok"}
    row = read_table(dataset, "videos").to_pylist()[0]
    assert row["error_code"] == "excluded"
    digest = sha256((listed.parent / "out.txt").read_bytes()).hexdigest()
    assert row["error_detail"] == f"left out by --exclude-speakers (the list of 1 entry with sha256 {digest[:12]})"
    assert row["duration_s"] is None
    assert validate(dataset) == []
    totals = read_dataset(dataset).totals
    assert (totals.videos, totals.failed, totals.excluded) == (4, 0, 2)


def test_dataset_json_keeps_what_identifies_a_list_and_not_what_stands_in_it(listed: Path) -> None:
    people = put_list(listed.parent / "out.txt", "anna", "zoe")
    go(listed, speakers=people)
    (one,) = read_dataset(listed.parent / "dataset").exclusions
    assert (one.option, one.entries) == ("--exclude-speakers", 2)
    assert one.sha256 == sha256(people.read_bytes()).hexdigest()
    text = (listed.parent / "dataset" / "dataset.json").read_text(encoding="utf-8")
    assert "anna" not in text
    assert "zoe" not in text


def test_a_longer_list_removes_what_an_earlier_run_kept(listed: Path, decoded: list[str]) -> None:
    go(listed)
    dataset = listed.parent / "dataset"
    gone = fingerprint(listed.parent / "raw" / "b.mp4")
    assert gone in read_table(dataset, "frames", ["video_id"])["video_id"].to_pylist()
    decoded.clear()
    report = go(listed, speakers=put_list(listed.parent / "out.txt", "bert"))
    assert decoded == []
    assert report.already_done == 3
    assert status_by_name(dataset)["b.mp4"] == "excluded"
    for table in ("frames", "spans"):
        assert gone not in read_table(dataset, table, ["video_id"])["video_id"].to_pylist()
    assert validate(dataset) == []


def test_a_list_also_removes_what_the_source_does_not_name_any_more(listed: Path) -> None:
    go(listed)
    listed.write_text("path,speaker_id\nraw/a.mp4,anna\n", encoding="utf-8")
    go(listed, speakers=put_list(listed.parent / "out.txt", "bert"))
    assert status_by_name(listed.parent / "dataset")["b.mp4"] == "excluded"


def test_what_was_left_out_once_stays_out_until_it_is_asked_for(listed: Path, decoded: list[str]) -> None:
    go(listed, videos=put_list(listed.parent / "out.txt", "b.mp4"))
    decoded.clear()
    go(listed)
    dataset = listed.parent / "dataset"
    assert decoded == []
    assert status_by_name(dataset)["b.mp4"] == "excluded"
    nothing = CliRunner().invoke(app, ["retry", str(dataset), "--failed"])
    assert (nothing.exit_code, "nothing to retry" in nothing.output) == (2, True)
    back = CliRunner().invoke(app, ["retry", str(dataset), "--code", "excluded", "--video", "b.mp4"])
    assert back.exit_code == 0, back.output
    assert status_by_name(dataset)["b.mp4"] == "ok"
    assert validate(dataset) == []


def test_a_copy_of_a_file_is_left_out_with_it(listed: Path, decoded: list[str]) -> None:
    shutil.copy(listed.parent / "raw" / "b.mp4", listed.parent / "raw" / "a_copy.mp4")
    with listed.open("a", encoding="utf-8") as file:
        file.write("raw/a_copy.mp4,somebody\n")
    go(listed, speakers=put_list(listed.parent / "out.txt", "bert"))
    assert decoded == ["a.mp4", "c.mp4", "d.mp4"]
    dataset = listed.parent / "dataset"
    assert fingerprint(listed.parent / "raw" / "b.mp4") not in read_table(dataset, "frames")["video_id"].to_pylist()
    assert validate(dataset) == []


@pytest.mark.parametrize("entry", ["b.mp4", "raw/b.mp4", "{folder}/raw/b.mp4", "{video_id}"])
def test_a_video_is_named_by_its_id_its_path_or_the_end_of_it(entry: str, listed: Path, decoded: list[str]) -> None:
    video_id = fingerprint(listed.parent / "raw" / "b.mp4")
    go(listed, videos=put_list(listed.parent / "out.txt", entry.format(folder=listed.parent, video_id=video_id)))
    assert decoded == ["a.mp4", "c.mp4", "d.mp4"]


def test_half_a_name_names_nothing() -> None:
    names = names_of("0123456789abcdef", Path("/raw/anna/talk.mp4"))
    assert {"talk.mp4", "anna/talk.mp4", "/raw/anna/talk.mp4", "0123456789abcdef"} <= names
    assert names.isdisjoint({"talk", "alk.mp4", "anna", "raw/anna", "01234567", ""})


def test_entries_that_name_nothing_are_told(listed: Path) -> None:
    people, files = put_list(listed.parent / "p.txt", "bert", "Bert"), put_list(listed.parent / "v.txt", "bb.mp4")
    report = go(listed, speakers=people, videos=files)
    assert report.notes == (
        "1 entry of --exclude-speakers names nothing of this source, such as 'Bert'.",
        "1 entry of --exclude-videos names nothing of this source, such as 'bb.mp4'.",
    )


def test_an_accent_stored_apart_is_the_same_name(listed: Path, decoded: list[str]) -> None:
    go(listed, speakers=put_list(listed.parent / "out.txt", "cle\u0301o"))
    assert decoded == ["a.mp4", "b.mp4", "c.mp4"]


def test_a_list_of_people_for_a_source_that_names_nobody_stops_the_run(listed: Path) -> None:
    people = put_list(listed.parent / "out.txt", "anna")
    with pytest.raises(SourceError, match="none of the 4 videos of this source has a speaker id"):
        run(
            str(listed.parent / "raw"),
            listed.parent / "new",
            QUIET,
            Executor(),
            exclusions=read_exclusions(people, None),
        )
    assert not (listed.parent / "new").exists()


def test_a_list_that_cannot_be_read_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"--exclude-videos .*gone\.txt: cannot be read: No such file"):
        read_exclusions(None, tmp_path / "gone.txt")
    assert unused((), read_exclusions(None, None)) == ()


def test_a_list_may_be_named_by_text(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a.mp4\n\nb.mp4\n")
    assert read_exclusions(None, str(tmp_path / "names.txt")).videos == {"a.mp4", "b.mp4"}
