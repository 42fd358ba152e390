"""Forgetting a person: nothing of theirs is left in any byte of the dataset, and all of the others' is."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.event_log import events_path
from curation.engine.execution import Executor
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.operations.run import RunReport, run
from curation.output.ledger import read_ledger
from curation.settings import CurationSettings
from curation.sources.content import fingerprint
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.files.tar import MemberRange, read_member
from manifests.record import read_dataset
from manifests.reports.validate import validate
from manifests.schema.columns import Column, Table
from manifests.schema.tables import TABLES

ANNA, BERT = "anna-sofia-lindqvist", "bert"


@pytest.fixture(scope="module")
def both(small_run: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the dataset of two people and its sources: the talking video is Anna's, as is its copy by name;
    the mute one is Bert's."""
    folder = tmp_path_factory.mktemp("people")
    shutil.copytree(small_run.source, folder / "raw")
    (folder / "raw" / "a_talking.mp4").rename(folder / "raw" / f"{ANNA}.mp4")
    (folder / "raw" / "d_again.mp4").rename(folder / "raw" / "the_same_again.mp4")
    rows = [
        (f"raw/{ANNA}.mp4", ANNA),
        ("raw/b_mute.mp4", BERT),
        ("raw/c_broken.mp4", ""),
        ("raw/the_same_again.mp4", ""),
    ]
    lines = ["path,speaker_id", *(",".join(row) for row in rows)]
    (folder / "talks.csv").write_text("\n".join(lines) + "\n")
    go(folder)
    return folder


@pytest.fixture
def people(both: Path, tmp_path: Path) -> Path:
    """A copy of that dataset; a test may spoil it. The sources lie where they lay."""
    return Path(shutil.copytree(both / "dataset", tmp_path / "dataset"))


def go(folder: Path, dataset: Path | None = None) -> RunReport:
    return run(str(folder / "talks.csv"), dataset or folder / "dataset", CurationSettings(), Executor())


def anna_of(folder: Path) -> str:
    return fingerprint(folder / "raw" / f"{ANNA}.mp4")


def all_bytes(dataset: Path) -> bytes:
    """Every file with its name, and every table as text, for Parquet compresses."""
    files = [path for path in sorted(dataset.rglob("*")) if path.is_file()]
    told = [str(path.relative_to(dataset)).encode() + b"\n" + path.read_bytes() for path in files]
    return b"".join(told) + b"".join(repr(read_table(dataset, name).to_pylist()).encode() for name in TABLES)


def media_of(dataset: Path) -> dict[str, list[bytes]]:
    return {
        row["clip_id"]: [
            read_member(dataset, row["media"], MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"]))
            for kind in ("mp4", "flac")
            if row[f"{kind}_offset"] is not None
        ]
        for row in read_table(dataset, "clips").to_pylist()
    }


def tree(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}


LATENTS = Table(
    name="latents",
    meaning="made",
    row_group_rows=1,
    columns=(Column(name="clip_id", type=pa.string(), unit="", shape="", meaning="", nullable=False),),
)


def put_latents(dataset: Path) -> None:
    """Latents as `gaia-train latents` lays them out: Anna's in one file, Bert's in another."""
    for number, clip_id in enumerate(read_table(dataset, "clips", ["clip_id"])["clip_id"].to_pylist()):
        write_parquet(dataset / "latents" / "0123" / f"{number}.parquet", pa.table({"clip_id": [clip_id]}), LATENTS)
    (dataset / "latents" / "0123" / "latents.json").write_text("{}")


@pytest.mark.slow
def test_no_byte_of_a_person_is_left_and_the_others_are_untouched(both: Path, people: Path) -> None:
    anna = anna_of(both)
    before = media_of(people)
    others = [content for clip_id, files in before.items() if not clip_id.startswith(anna) for content in files]
    theirs = [content for files in before.values() for content in files if content not in others]
    assert len(theirs) == 1  # the sound: the pictures are those of the mute video
    assert all(content in all_bytes(people) for content in (ANNA.encode(), anna.encode(), b"the_same_again", *theirs))
    told = CliRunner().invoke(app, ["forget", str(people), "--speaker", ANNA])
    assert told.exit_code == 0, told.output
    assert "Removed 2 files and 1 clip, 3.4 s" in told.output
    left = all_bytes(people)
    assert not [content for content in (ANNA.encode(), anna.encode(), b"the_same_again", *theirs) if content in left]
    assert media_of(people) == {clip_id: files for clip_id, files in before.items() if not clip_id.startswith(anna)}
    assert {row["speaker_id"] for row in read_table(people, "videos").to_pylist()} == {BERT, None}
    assert validate(people) == []


@pytest.mark.slow
def test_a_later_run_of_the_same_sources_does_not_bring_them_back(both: Path, people: Path) -> None:
    forget(people, speaker=ANNA)
    before = tree(people)
    report = go(both, people)
    assert report.curated == ()
    assert report.notes == ("2 files were left out, which `gaia-curate forget` removed from this dataset.",)
    assert tree(people) == before
    # another recording of hers, and her recording under another name of hers, stay out as well
    shutil.copytree(both / "raw", people.parent / "raw")
    with (people.parent / "raw" / "new.mp4").open("wb") as file:
        file.write((people.parent / "raw" / "b_mute.mp4").read_bytes() + b"\0")
    (people.parent / "raw" / f"{ANNA}.mp4").rename(people.parent / "raw" / "alias.mp4")
    (people.parent / "talks.csv").write_text(f"path,speaker_id\nraw/new.mp4,{ANNA}\nraw/alias.mp4,someone\n")
    go(people.parent, people)
    assert {Path(row["path"]).name for row in read_table(people, "videos").to_pylist()} == {
        "b_mute.mp4",
        "c_broken.mp4",
    }


@pytest.mark.slow
def test_what_is_decided_from_the_dataset_does_not_bring_them_back_either(people: Path) -> None:
    forget(people, speaker=ANNA)
    redecide(people, people.parent / "decided", None, [], render=False)
    assert read_dataset(people.parent / "decided").removals == read_dataset(people).removals


@pytest.mark.slow
def test_a_dry_run_tells_the_same_and_changes_nothing(people: Path) -> None:
    put_latents(people)
    (people / "notes.txt").write_text("mine")
    before = tree(people)
    would = forget(people, speaker=ANNA, dry_run=True)
    assert tree(people) == before
    assert "Would remove 2 files and 1 clip, 3.4 s" in would.text()
    assert (would.latents, would.not_looked_into) == (("latents/0123",), ("notes.txt",))
    did = forget(people, speaker=ANNA)
    assert (did.files, did.clips, did.kept_s, did.latents) == (would.files, would.clips, would.kept_s, would.latents)


@pytest.mark.slow
def test_latents_of_a_person_go_and_those_of_others_stay(both: Path, people: Path) -> None:
    put_latents(people)
    forget(people, speaker=ANNA)
    (left,) = (people / "latents" / "0123").iterdir()
    assert left.suffix == ".parquet"
    assert anna_of(both).encode() not in left.read_bytes()


@pytest.mark.slow
def test_the_log_loses_the_lines_that_name_their_videos(both: Path, people: Path) -> None:
    lines = events_path(people).read_text().splitlines()
    forget(people, speaker=ANNA)
    assert events_path(people).read_text().splitlines() == [line for line in lines if anna_of(both) not in line]
    assert len(lines) > len(events_path(people).read_text().splitlines()) > 0


@pytest.mark.slow
def test_a_single_video_can_be_forgotten(both: Path, people: Path) -> None:
    bert = fingerprint(both / "raw" / "b_mute.mp4")
    forget(people, videos=["b_mute.mp4"])
    assert bert.encode() not in all_bytes(people)
    assert read_dataset(people).removals is not None
    assert read_dataset(people).removals.speakers == ()
    assert validate(people) == []


@pytest.mark.slow
def test_who_is_not_there_is_told_and_who_was_forgotten_is_no_error(people: Path) -> None:
    before = tree(people)
    with pytest.raises(DatasetError, match="has no speaker 'nobody'"):
        forget(people, speaker="nobody")
    with pytest.raises(DatasetError, match=r"has no video 'gone\.mp4'"):
        forget(people, speaker=ANNA, videos=["gone.mp4"])
    assert tree(people) == before
    assert CliRunner().invoke(app, ["forget", str(people)]).exit_code == 2
    forget(people, speaker=ANNA)
    again = forget(people, speaker=ANNA)
    assert "had been forgotten before" in again.text()


@pytest.mark.slow
def test_digests_say_who_it_was_only_to_those_who_know_the_id(people: Path) -> None:
    other = Path(shutil.copytree(people, people.parent / "other"))
    for dataset in (people, other):
        forget(dataset, speaker=ANNA)
    removals = read_dataset(people).removals
    assert removals is not None
    assert removals.has_speaker(ANNA)
    assert not removals.has_speaker(BERT)
    assert removals.speakers != read_dataset(other).removals.speakers  # nobody can join two datasets by them
    assert ANNA not in json.dumps(removals.model_dump())


class Killed(BaseException):
    """The process is gone."""


def stop_after(monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    """Let `last` changes of files be made, and then no more."""
    made = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def change(*arguments: object, **named: object) -> object:
            nonlocal made
            if made >= last:
                raise Killed
            made += 1
            return real(*arguments, **named)

        return change

    for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))


@pytest.mark.slow
@pytest.mark.parametrize("finished_by", ["the same call", "the next run"])
def test_a_stop_anywhere_is_made_good(
    finished_by: str, both: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = Path(shutil.copytree(people, people.parent / "forgotten"))
    forget(forgotten, speaker=ANNA)
    wanted = {
        name: content for name, content in tree(forgotten).items() if not name.endswith(("dataset.json", "jsonl"))
    }
    stops = 0
    for last in range(0, 1000, 3 if finished_by == "the same call" else 8):
        dataset = Path(shutil.copytree(people, people.parent / f"stopped{last}"))
        with monkeypatch.context() as patched:
            stop_after(patched, last)
            try:
                forget(dataset, speaker=ANNA)
                break
            except Killed:
                stops += 1
        if finished_by == "the same call":
            forget(dataset, speaker=ANNA)
        elif read_dataset(dataset).removals is not None:
            go(both, dataset)
        else:
            continue  # it had not begun
        left = tree(dataset)
        assert {
            name: content for name, content in left.items() if not name.endswith(("dataset.json", "jsonl"))
        } == wanted
        assert anna_of(both) not in read_ledger(dataset)
        shutil.rmtree(dataset)
    assert stops > 5
