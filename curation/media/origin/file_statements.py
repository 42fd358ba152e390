"""Boxes of MP4 and QuickTime files (ISO/IEC 14496-12) that hold statements about the file, found without its media."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

__all__ = ["Readable", "Statements", "statements"]

_C2PA = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
"""User type of the box `uuid` that holds a C2PA manifest store (C2PA 2.1, A.5.1)."""

_XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
"""User type of the box `uuid` that holds XMP (XMP specification, part 3)."""

_FIRST = (b"ftyp", b"moov", b"wide", b"free", b"skip", b"mdat", b"pnot")
"""Boxes that a file may begin with; another beginning is no file of boxes."""

_MOST_BOXES = 1000
"""Boxes of one level that are looked at. A file in fragments has two a fragment, and its statements before them."""

_MOST_BYTES = 16 << 20
"""Bytes of a statement that are read. Manifests with pictures in them take less than a tenth of it."""


class Readable(Protocol):
    """A file, local or remote."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Set the position."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """What the boxes of a file state of it."""

    xmp: tuple[bytes, ...]
    """XMP packets."""
    manifests: tuple[bytes, ...]
    """C2PA manifest stores, in JUMBF."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Box:
    kind: bytes
    first: int
    """First byte of the content."""
    end: int


def statements(file: Readable) -> Statements:
    """Return the XMP and C2PA manifests in a file of boxes; none in a file of another format.

    Args:
        file: at any position.

    Raises:
        OSError: it cannot be read.
    """
    size = file.seek(0, io.SEEK_END)
    xmp: list[bytes] = []
    manifests: list[bytes] = []
    for number, box in enumerate(_boxes(file, 0, size)):
        if number == 0 and box.kind not in _FIRST:
            break
        if box.kind == b"uuid":
            user_type = _content(file, box, 16)
            if user_type in (_XMP, _C2PA):
                (xmp if user_type == _XMP else manifests).append(_content(file, box, _MOST_BYTES)[16:])
        elif box.kind in (b"jumb", b"caBX"):
            manifests.append(_content(file, box, _MOST_BYTES))
        elif box.kind == b"moov":
            for data in _boxes(file, box.first, box.end):
                if data.kind == b"udta":
                    held = [one for one in _boxes(file, data.first, data.end) if one.kind == b"XMP_"]
                    xmp += [_content(file, one, _MOST_BYTES) for one in held]
    return Statements(xmp=tuple(xmp), manifests=tuple(manifests))


def _content(file: Readable, box: _Box, most: int) -> bytes:
    file.seek(box.first)
    return file.read(min(box.end - box.first, most))


def _boxes(file: Readable, first: int, end: int) -> Iterator[_Box]:
    """Yield the boxes in a range of bytes, up to the first whose length cannot be true."""
    for _ in range(_MOST_BOXES):
        file.seek(first)
        header = file.read(16)
        if first + 8 > end or len(header) < 8:
            return
        length, kind = struct.unpack_from(">I4s", header)
        content = first + 8
        if length == 1 and len(header) == 16:  # the length follows, in 64 bits
            length, content = struct.unpack_from(">Q", header, 8)[0], first + 16
        stop = end if length == 0 else first + length
        if not content <= stop <= end:
            return
        yield _Box(kind=kind, first=content, end=stop)
        first = stop
