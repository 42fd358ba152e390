"""Where lines of a log go: to the end of a local file, or, on a store that cannot append, into objects of a run."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from manifests.files import write_bytes_atomic
from manifests.storage import is_remote

__all__ = ["LineSink", "open_sink"]

_PUT_EVERY_S = 20.0
_SEGMENT_BYTES = 1 << 20
"""An object is put anew as it grows; past this size the next one is begun."""


class LineSink(Protocol):
    """Takes whole lines."""

    def write(self, line: bytes) -> None:
        """Add a line.

        Raises:
            OSError: the storage refused.
        """

    def close(self) -> None:
        """Let nothing that was added be lost."""


def open_sink(path: Path) -> LineSink:
    """Return what takes lines for the local file `path`, or for objects named after it.

    Raises:
        OSError: it cannot be written.
    """
    return _Segments(path) if is_remote(path) else _Appended(path)


class _Appended:
    """A file that only grows; a line that a killed run left half is closed, so that it spoils no other."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def write(self, line: bytes) -> None:
        self._file.write(line)

    def close(self) -> None:
        self._file.close()


class _Segments:
    """Objects `events-<when the run began>-<number>.jsonl`: their names sort as their lines came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._number = 0
        self._lines = bytearray()
        self._put_at = time.monotonic()
        self._unsaved = False

    def write(self, line: bytes) -> None:
        self._lines += line
        self._unsaved = True
        if len(self._lines) >= _SEGMENT_BYTES or time.monotonic() - self._put_at >= _PUT_EVERY_S:
            self._put()
        if len(self._lines) >= _SEGMENT_BYTES:
            self._lines.clear()
            self._number += 1

    def close(self) -> None:
        if self._unsaved:
            self._put()

    def _put(self) -> None:
        name = f"{self._path.stem}-{self._begun}-{self._number:04d}{self._path.suffix}"
        write_bytes_atomic(self._path.parent / name, bytes(self._lines))
        self._put_at, self._unsaved = time.monotonic(), False
