"""A disk of 4 MB, for tests of what happens when it is full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PAGE_BYTES = 4096


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount the disk at a new folder; where that is not allowed, the test is skipped."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(folder: Path, n_pages: int = 0) -> Path:
    """Fill the disk but for some pages, and return the file that takes the room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while shutil.disk_usage(folder).free > n_pages * PAGE_BYTES:
            file.write(bytes(PAGE_BYTES))
    return ballast
