"""Ranges of bytes of a file that hold a recording of their own, read as if they were a file."""

import io
from dataclasses import dataclass
from typing import Protocol

__all__ = ["ByteRange", "RangeFile"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteRange:
    """Bytes ``[first, end)`` of a file, behind its first `head` bytes."""

    first: int
    end: int
    head: int = 0
    """Bytes of the beginning of the file that are read before the range: they name the streams and their codecs,
    where the range does not."""

    @property
    def size(self) -> int:
        """Number of bytes that are read."""
        return self.head + self.end - self.first


class _Seekable(Protocol):
    """Bytes that can be read from any place."""

    @property
    def name(self) -> str: ...

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...


class RangeFile:
    """A file object for PyAV whose content is a range of another file."""

    def __init__(self, file: _Seekable, held: ByteRange) -> None:
        """Read `held` from `file`, whose position is changed."""
        self.name = file.name
        """FFmpeg evaluates its suffix."""
        self._file = file
        self._held = held
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        held = self._held
        in_head = self._at < held.head
        left = (held.head if in_head else held.size) - self._at
        self._file.seek(self._at if in_head else held.first + self._at - held.head)
        content = self._file.read(max(0, min(size, left)))
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._held.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at
