"""What others made is opened without waiting, and only where it is a regular file of the size it may have."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.storage.locations import files_in, read_all, read_range
from foundation.storage.regular_files import (
    FileTooLargeError,
    NotRegularFileError,
    open_regular,
    read_small,
    require_regular,
)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        # the address of a socket has at most 108 bytes
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            made.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


def folder(path: Path) -> None:
    path.mkdir()


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


KINDS = {"a named pipe": fifo, "a socket": socket_file, "a folder": folder}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "reading",
    [open_regular, require_regular, lambda path: read_small(path, 10), lambda path: read_range(path, 0, 10)],
    ids=["open", "require", "read_small", "read_range"],
)
def test_what_is_no_regular_file_is_refused_by_name_and_kind(
    tmp_path: Path, kind: str, reading: Callable[[Path], object]
) -> None:
    path = tmp_path / "record.json"
    KINDS[kind](path)
    with pytest.raises(NotRegularFileError, match=f"record.json is {kind}, not a regular file"):
        reading(path)


def test_a_device_behind_a_link_is_refused(tmp_path: Path) -> None:
    link_to_device(tmp_path / "part.tar")
    with pytest.raises(NotRegularFileError, match="is a device"):
        read_range(tmp_path / "part.tar", 0, 10)
    with pytest.raises(NotRegularFileError, match="is a link"):
        open_regular(tmp_path / "part.tar", follow_links=False)


def test_opening_a_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code = "import sys, pathlib; from foundation.storage.regular_files import read_small; "
    code += "read_small(pathlib.Path(sys.argv[1]), 10)"
    ended = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "pipe"], capture_output=True, text=True, timeout=60, check=False
    )
    assert "is a named pipe" in ended.stderr


def test_a_link_to_a_file_is_followed_only_where_it_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"content"
    for reading in (open_regular, require_regular):
        with pytest.raises(NotRegularFileError, match="link is a link"):
            reading(tmp_path / "link", follow_links=False)


def test_a_file_that_is_replaced_by_a_pipe_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    opened = os.open

    def replaced(name: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return opened(name, flags)

    monkeypatch.setattr(os, "open", replaced)
    with pytest.raises(NotRegularFileError, match="is a named pipe"):
        open_regular(path)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "gone")


def test_a_small_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small(tmp_path / "a", 5) == b"12345"
    assert list(read_all([tmp_path / "a"], 5)) == [b"12345"]
    with pytest.raises(FileTooLargeError, match="larger than 4 bytes"):
        read_small(tmp_path / "a", 4)
    with pytest.raises(FileTooLargeError, match="larger than 4 bytes"):
        list(read_all([tmp_path / "a"], 4))


def test_of_a_file_without_end_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(FileTooLargeError):
        read_small(tmp_path / "sparse", 1000)


@pytest.mark.parametrize(
    ("offset", "size", "expected"), [(1, 2, b"bc"), (2, 2**62, b"c"), (3, 5, b""), (2**62, 2, b"")]
)
def test_a_range_ends_where_its_file_does(tmp_path: Path, offset: int, size: int, expected: bytes) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_range(tmp_path / "a", offset, size) == expected


def test_a_folder_is_listed_by_name_and_only_its_files_of_the_suffix(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar", ".hidden.tar", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    assert [path.name for path in files_in(tmp_path, ".tar")] == ["a.tar", "b.tar"]
    assert files_in(tmp_path / "gone", ".tar") == []


@pytest.mark.parametrize("make", [fifo, socket_file, folder, link_to_device])
def test_listing_a_folder_refuses_what_is_no_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(NotRegularFileError, match=r"a\.tar is a "):
        files_in(tmp_path, ".tar")
