"""Files that belong together: on disk before any takes its place, in their order, all or none after an error."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.storage.staged import StagedFiles


def _name(file: int) -> str:
    return Path(f"/proc/self/fd/{file}").readlink().name


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the disk, in its order: flushes by the name that a file or folder has then, and renames."""
    steps: list[tuple[str, str]] = []
    flush, rename = os.fsync, Path.replace

    def flushed(file: int) -> None:
        steps.append(("flush", _name(file)))
        flush(file)

    def renamed(self: Path, target: Path) -> Path:
        steps.append(("rename", target.name))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    return steps


def _write(files: StagedFiles, folder: Path) -> None:
    with files.replacing(folder / "media" / "a.tar") as stream:
        stream.write(b"tar")
    files.next_stage()
    for name in ("clips", "spans"):
        with files.replacing(folder / name / "a.parquet") as stream:
            stream.write(name.encode())


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_are_on_disk_before_the_first_takes_its_place_and_a_stage_is_flushed_before_the_next(
    tmp_path: Path, steps: list[tuple[str, str]]
) -> None:
    with StagedFiles() as files:
        _write(files, tmp_path)
        assert all(name.endswith(".part") for name in _content(tmp_path))
        assert steps == []
    written = [f".a.tar.{os.getpid()}.part", *2 * [f".a.parquet.{os.getpid()}.part"]]
    assert sorted(steps[:3]) == sorted(("flush", name) for name in written)
    assert steps[3:5] == [("rename", "a.tar"), ("flush", "media")]
    assert steps[5:7] == 2 * [("rename", "a.parquet")]
    assert sorted(steps[7:]) == [("flush", "clips"), ("flush", "spans")]
    assert _content(tmp_path) == {"media/a.tar": b"tar", "clips/a.parquet": b"clips", "spans/a.parquet": b"spans"}


def test_after_an_error_every_place_is_as_it_was(tmp_path: Path) -> None:
    with StagedFiles() as files:
        _write(files, tmp_path)
    before = _content(tmp_path)

    def write_half() -> None:
        with StagedFiles() as files:
            _write(files, tmp_path)
            raise RuntimeError("made by the test")

    with pytest.raises(RuntimeError, match="made by the test"):
        write_half()
    assert _content(tmp_path) == before


def test_a_file_that_does_not_get_to_the_disk_holds_all_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def full(file: int) -> None:
        if _name(file).startswith(".a.parquet"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(file)

    def write() -> None:
        with StagedFiles() as files:
            _write(files, tmp_path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write()
    assert _content(tmp_path) == {}
    write()
    assert len(_content(tmp_path)) == 3


def test_a_stage_that_finds_no_place_keeps_the_next_from_its_own(tmp_path: Path) -> None:
    (tmp_path / "media" / "a.tar").mkdir(parents=True)

    def write() -> None:
        with StagedFiles() as files:
            _write(files, tmp_path)

    with pytest.raises(IsADirectoryError):
        write()
    assert _content(tmp_path) == {}


@pytest.mark.parametrize(("n_renames", "there"), [(0, set()), (1, {"a.tar"}), (2, {"a.tar", "a.parquet"})])
def test_a_process_that_dies_between_two_renames_leaves_whole_files_in_their_order(
    tmp_path: Path, n_renames: int, there: set[str]
) -> None:
    program = f"""
import os, itertools
from pathlib import Path
from foundation.storage.staged import StagedFiles
rename, count = Path.replace, itertools.count()
Path.replace = lambda self, target: os._exit(9) if next(count) == {n_renames} else rename(self, target)
with StagedFiles() as files:
    with files.replacing(Path("media/a.tar")) as stream:
        stream.write(b"tar")
    files.next_stage()
    with files.replacing(Path("clips/a.parquet")) as stream:
        stream.write(b"clips")
os._exit(9)
"""
    died = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert died.returncode == 9
    assert {name.partition("/")[2] for name in _content(tmp_path) if not name.endswith(".part")} == there
