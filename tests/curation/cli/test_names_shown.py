"""Names of files that would steer a terminal are escaped wherever people read them, and exact in the tables."""

import json
import os
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_video, frame_times
from typer.testing import CliRunner

from curation.cli.app import app
from foundation.storage.path_text import path_of_text
from manifests.files.tables import read_table

QUIET = ("--preset", "embedded", "--set", "speech.encoder=none", "--set", "speech.denoiser=none")

STEERING = "\x1b]0;owned\x07\x1b[2J\u202egpj\u2066\x9b1m\ndataset: all is well"
"""Sets a window's title, clears the screen, turns the direction of writing, and begins a line of its own."""


def go(*arguments: object) -> str:
    """Return what a command prints, without the line breaks of its own lines."""
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.output
    return ended.output


def is_for_a_terminal(text: str) -> bool:
    lines = text.split("\n")
    return all(line.isprintable() for line in lines) and not any(line.startswith("dataset: all is") for line in lines)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("named")
    raw = base / "raw" / f"folder {STEERING}"
    raw.mkdir(parents=True)
    good = counted_video(base / "good.mp4", frame_times(Fraction(25), 25))
    shutil.copy(good, raw / f"{STEERING}.mp4")
    shutil.copy(good, raw / f"copy {STEERING}.mp4")
    (raw / f"bad {STEERING}.mp4").write_bytes(b"no video")
    (Path(os.fsdecode(os.fsencode(raw) + b"/caf\xe9.mp4"))).write_bytes(b"nor this")
    (raw / f".hidden {STEERING}").write_bytes(b"")
    output = go("run", "--source", base / "raw", "--out", base / "dataset", *QUIET)
    assert is_for_a_terminal(output), output
    assert r"\x1b]0;owned\x07\x1b[2J\u202egpj\u2066\x9b1m\ndataset: all is well.mp4: kept" in output
    return base / "dataset"


def test_tables_have_the_exact_path_which_opens_the_file(dataset: Path) -> None:
    paths = [path_of_text(path) for path in read_table(dataset, "videos", ["path"])["path"].to_pylist()]
    assert len(paths) == 4
    assert all(path.is_file() for path in paths)


@pytest.mark.parametrize(
    "command",
    [
        ("stats", "{dataset}"),
        ("stats", "{dataset}", "--sql", "SELECT path, error_detail FROM videos"),
        ("stats", "{dataset}", "--json"),
        ("explain", "{dataset}", "{video_id}"),
        ("explain", "{dataset}", "{failed_id}"),
        ("explain", "{dataset}", "nothing is called so"),
        ("explain", "{dataset}", "no \x1b[2J such"),
        ("validate", "{dataset}"),
        ("retry", "{dataset}", "--failed"),
        ("forget", "{dataset}", "--video", "no \x1b[2J such"),
        ("plan", "--source", "{raw}", "--out", "{dataset}-planned", *QUIET),
        ("run", "--source", "{raw}/no \x1b[2J such", "--out", "{dataset}", *QUIET),
    ],
)
def test_every_command_escapes_them(command: tuple[str, ...], dataset: Path) -> None:
    rows = read_table(dataset, "videos").to_pylist()
    names = {
        "dataset": dataset,
        "raw": dataset.parent / "raw",
        "video_id": next(row["video_id"] for row in rows if row["status"] == "ok"),
        "failed_id": next(row["video_id"] for row in rows if row["status"] == "failed"),
    }
    output = go(*(word.format_map(names) for word in command))
    assert output
    assert is_for_a_terminal(output), output


def test_json_is_escaped_and_exact(dataset: Path) -> None:
    text = go("stats", dataset, "--sql", "SELECT path FROM videos ORDER BY path", "--json")
    paths = read_table(dataset, "videos", ["path"])["path"].to_pylist()
    assert [row["path"] for row in json.loads(text)] == sorted(paths)


def test_validate_names_a_damaged_file_in_a_folder_of_such_a_name(dataset: Path, tmp_path: Path) -> None:
    moved = tmp_path / f"data {STEERING}"
    shutil.copytree(dataset, moved)
    (moved / "videos" / "videos.parquet").write_bytes(b"damaged")
    output = go("validate", moved)
    assert r"\x1b[2J" in output
    assert is_for_a_terminal(output), output
