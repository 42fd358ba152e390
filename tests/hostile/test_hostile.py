"""Datasets and run folders that a stranger spoiled: no command leaves them, waits, swells or fails without a sentence.

`python -m benchmarks.hostile` puts a value that cannot be right into every field of every file, and runs commands.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import benchmarks.hostile.child
from benchmarks.hostile.campaign import ROOTS
from benchmarks.hostile.child import run_apart
from benchmarks.hostile.commands import COMMANDS
from benchmarks.hostile.fields import fields_of
from benchmarks.hostile.files import files_of, journals_of
from benchmarks.hostile.material import Place
from benchmarks.hostile.media import rated_of
from benchmarks.hostile.watch import Canaries
from curation.output.ledger import VideoRecord
from curation.review.labels import Label, LabelsFile
from manifests.files.journal import Swap
from manifests.packing.packed_files import PackedFacts
from manifests.record import DatasetRecord
from manifests.schema.tables import TABLES
from manifests.totals import Totals
from training.data.order import Cursor
from training.latents.files import LATENTS, LatentFacts, Moments
from training.loop.checkpoints import Progress
from training.ratings.rating_files import KeyItem, Rating, RatingKey, RatingsFile


@pytest.fixture(scope="module")
def campaign(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a sample of the cases gave, and the material."""
    folder = tmp_path_factory.mktemp("hostile")
    faults = folder / "faults.jsonl"
    command = [sys.executable, "-m", "benchmarks.hostile", "--sample", "--together", "18", "--quiet"]
    done = subprocess.run(
        [*command, "--faults", str(faults), "--folder", str(folder / "material")],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "found": faults.read_text(), "place": Place(folder=folder / "material")}


@pytest.mark.slow
def test_whatever_stands_in_a_field_no_command_leaves_the_folder_waits_swells_or_ends_without_a_sentence(
    campaign: dict[str, object],
) -> None:
    assert campaign["found"] == ""
    assert campaign["fields"] > 1000
    assert campaign["refused"] > 100
    assert campaign["not_put"] == 0


@pytest.mark.slow
def test_every_column_and_every_key_is_spoiled(campaign: dict[str, object]) -> None:
    place = campaign["place"]
    assert isinstance(place, Place)
    found = {
        (root, one.file.partition("/")[0], part)
        for root in ROOTS
        for one in fields_of(place, root)
        for part in (one.name, *one.name.split("."))
    }
    for table in (*TABLES.values(), LATENTS):
        assert [c.name for c in table.columns if ("dataset", table.name, c.name) not in found] == []
    assert [n for n in DatasetRecord.model_fields if ("dataset", "dataset.json", n) not in found] == []
    assert [n for n in Totals.model_fields if ("dataset", "dataset.json", n) not in found] == []
    assert [n for n in VideoRecord.model_fields if ("dataset", "ledger", n) not in found] == []
    assert [n for n in PackedFacts.model_fields if ("dataset", "clips", n) not in found] == []
    assert [
        n for n in (*LatentFacts.model_fields, *Moments.model_fields) if ("dataset", "latents", n) not in found
    ] == []
    state = [one.name for one in (*dataclasses.fields(Progress), *dataclasses.fields(Cursor))]
    assert [n for n in state if not any(("vae", step, n) in found for step in ("step_00000001", "step_00000002"))] == []
    assert {one.name.partition(".")[0] for one in journals_of(place)} >= set(Swap.model_fields)
    read = {"labels.json": (LabelsFile, Label), "sheet.key.json": (RatingKey, KeyItem), "raters": (RatingsFile, Rating)}
    for file, models in read.items():
        assert [n for one in models for n in one.model_fields if ("judged", file, n) not in found] == []


@pytest.mark.slow
def test_commands_are_run_on_what_people_judged_too(campaign: dict[str, object]) -> None:
    place = campaign["place"]
    assert isinstance(place, Place)
    named = {root for command in COMMANDS for root in command.reads}
    assert named == set(ROOTS)
    assert {one.file for one in files_of(place, "judged")} >= {"labels.json", "sheet.key.json", "raters"}
    assert {"playlist", "SDP", "concat"} <= {value.kind for one in rated_of(place) for value in one.values}


@pytest.mark.slow
def test_every_file_and_folder_becomes_a_link_a_pipe_and_what_it_is_not(campaign: dict[str, object]) -> None:
    place = campaign["place"]
    assert isinstance(place, Place)
    kinds = {one.file.rpartition("/")[2]: {value.kind for value in one.values} for one in files_of(place, "dataset")}
    assert {"link out", "pipe", "socket", "device", "half", "100 MB"} <= kinds["dataset.json"]
    assert {"link out", "pipe", "file"} <= {v.kind for one in files_of(place, "dataset") for v in one.values}
    assert {one.file for one in files_of(place, "vae")} >= {"latest", "run.json"}


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "canary").write_text("nobody may read this")
    return Canaries([outside])


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda path: path.read_bytes(), "read"),
        (lambda path: list(path.parent.iterdir()), "listed"),
        (lambda path: path.write_text("another"), "changed"),
        (lambda path: path.unlink(), "changed"),
        (lambda path: path.with_name("new").touch(), "changed"),
    ],
    ids=["read", "listed", "written", "removed", "made"],
)
def test_what_happens_to_a_canary_is_seen(
    canaries: Canaries, tmp_path: Path, deed: Callable[[Path], object], told: str
) -> None:
    assert (canaries.touched(), canaries.changed()) == ([], [])
    deed(tmp_path / "outside" / "canary")
    assert told in {line.split()[0] for line in canaries.touched()}
    assert bool(canaries.changed()) == (told == "changed")


def test_to_look_at_the_size_of_a_canary_is_no_touch(canaries: Canaries, tmp_path: Path) -> None:
    assert (tmp_path / "outside" / "canary").stat().st_size
    assert canaries.touched() == []


def _opens_a_socket() -> int:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
    return 0


def _waits(path: Path) -> int:
    path.read_bytes()
    return 0


def _leaves_a_process() -> int:
    subprocess.Popen(["sleep", "30"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 0


def _fails() -> int:
    raise ZeroDivisionError


def test_a_command_is_seen_to_end_to_fail_and_to_open_a_socket() -> None:
    assert run_apart(lambda: 3).code == 3
    assert "Traceback" in run_apart(_fails).errors
    assert "socket.bind" in run_apart(_opens_a_socket).sockets[0]
    assert run_apart(lambda: len(bytearray(900 * 2**20)) and 0).peak_bytes > 900 * 2**20


@pytest.mark.slow
def test_a_command_that_waits_or_leaves_a_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr(benchmarks.hostile.child, "_IDLE_S", 1.0)
    monkeypatch.setattr(benchmarks.hostile.child, "_PATIENCE_S", 1.0)
    os.mkfifo(tmp_path / "pipe")
    assert run_apart(lambda: _waits(tmp_path / "pipe")).cut_off == "waits"
    assert run_apart(_leaves_a_process).orphans == 1
