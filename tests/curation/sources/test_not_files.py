"""Pipes, sockets and devices in place of files: nobody waits for them, each is named with what it is."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import FrameType

import pytest
from helpers.made_videos import counted_video, frame_times
from typer.testing import CliRunner

from curation.cli.app import app
from curation.sources.discover import discover
from manifests.files.tables import read_table

QUIET = ("--preset", "embedded", "--set", "speech.encoder=none", "--set", "speech.denoiser=none")

LONGEST_S = 60


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the whole name may be too long for a socket
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = {"a named pipe": put_pipe, "a socket": put_socket, "a device": put_device}

EACH = pytest.mark.parametrize(("what", "put"), KINDS.items())


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"still waiting after {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    counted_video(tmp_path / "raw" / "a.mp4", frame_times(Fraction(25), 10))
    return tmp_path / "raw"


def run(source: Path, *options: str, command: str = "run") -> tuple[int, str]:
    dataset = source.parent / "dataset"
    ended = CliRunner().invoke(app, [command, "--source", str(source), "--out", str(dataset), *QUIET, *options])
    return ended.exit_code, ended.output


@EACH
def test_what_is_no_file_in_a_folder_behind_a_link_or_named_has_the_reason(
    what: str, put: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    put(tmp_path / "raw" / "a.mp4")
    (tmp_path / "raw" / "b.mp4").symlink_to("a.mp4")
    for source in (tmp_path / "raw", tmp_path / "raw" / "a.mp4", tmp_path / "raw" / "b.mp4"):
        videos = discover(str(source)).videos
        assert all(what in str(video.read_error) for video in videos), videos
    listed = tmp_path / "list.csv"
    listed.write_text("path\nraw/a.mp4\nraw/b.mp4\n")
    assert all(what in str(video.read_error) for video in discover(str(listed)).videos)


def test_a_run_tells_a_pipe_as_unreadable_and_curates_the_others(raw: Path) -> None:
    put_pipe(raw / "pipe.mp4")
    code, output = run(raw)
    assert code == 1, output
    rows = {Path(row["path"]).name: row for row in read_table(raw.parent / "dataset", "videos").to_pylist()}
    assert (rows["a.mp4"]["status"], rows["pipe.mp4"]["error_code"]) == ("ok", "unreadable")
    assert "a named pipe" in rows["pipe.mp4"]["error_detail"]


@EACH
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_list_that_is_no_file_is_an_error_that_names_it(
    what: str, put: Callable[[Path], None], command: str, tmp_path: Path
) -> None:
    put(tmp_path / "list.csv")
    code, output = run(tmp_path / "list.csv", command=command)
    assert (code, "list.csv" in output, what in output) == (2, True, True), output


@EACH
@pytest.mark.parametrize("option", ["--exclude-videos", "--exclude-speakers", "--config"])
def test_a_file_of_an_option_that_is_no_file_is_an_error_that_names_the_option(
    what: str, put: Callable[[Path], None], option: str, raw: Path
) -> None:
    put(raw.parent / "given")
    code, output = run(raw, option, str(raw.parent / "given"))
    assert (code, option in output, what in output) == (2, True, True), output


@pytest.mark.parametrize(
    ("video", "annotation", "layout"),
    [
        ("WDA_KatieHill.mp4", "WDA_annotion_time.txt", "hdtf"),
        ("1178/1178_08.MP4", "CasualConversations.json", "cc_v1"),
        ("0007_portuguese_nonscripted_1.mp4", "CasualConversationsV2.json", "cc_v2"),
        ("raw_videos/--Y9imYnfBw.mp4", "train_video_tubes.txt", "talkinghead_1kh"),
        ("id00012/21Uxsk56VDQ.mp4", "txt/id00012/21Uxsk56VDQ/00001.txt", "voxceleb2"),
    ],
)
def test_annotation_that_is_a_pipe_ends_the_run_before_it_begins(
    video: str, annotation: str, layout: str, raw: Path
) -> None:
    folder = raw.parent / "set"
    for name in (video, annotation):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(raw / "a.mp4", folder / video)
    put_pipe(folder / annotation)
    for choice in (layout, "auto"):
        code, output = run(folder, "--layout", choice)
        assert (code, Path(annotation).name in output, "a named pipe" in output) == (2, True, True), output
