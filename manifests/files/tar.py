"""Layout of the media archives: tar files whose members are read by byte range.

An archive is USTAR: a header of one block, the content, zeros up to the next block, for each member; two blocks of
zeros and zeros up to a full record at the end. Owner, mode and time are fixed, so that equal members give equal bytes.
"""

import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from foundation.storage.atomic import replacing
from foundation.storage.locations import read_range
from manifests.errors import DatasetError, MediaError
from manifests.files.names import file_in, media_name
from manifests.files.numbers import MOST_BYTES
from manifests.limits import MAX_CLIP_BYTES

__all__ = [
    "ByteSink",
    "MemberRange",
    "TarWriter",
    "member_name_at",
    "read_member",
    "tar_bytes",
    "tar_path",
    "write_members",
    "write_tar",
]

_BLOCK = tarfile.BLOCKSIZE


class ByteSink(Protocol):
    """A file that is written from its beginning to its end."""

    def write(self, content: bytes, /) -> int:
        """Append the content and return its length."""

    def tell(self) -> int:
        """Return the number of bytes written."""


def tar_bytes(size: int) -> int:
    """Return the number of bytes that a file of `size` bytes takes in a tar, its header included.

    >>> tar_bytes(0), tar_bytes(1), tar_bytes(512), tar_bytes(513)
    (512, 1024, 1024, 1536)
    """
    return _BLOCK + size + _padding(size)


def _padding(size: int) -> int:
    return -size % _BLOCK


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRange:
    """Byte range of a member's content in its tar; none that no tar can have."""

    offset: int
    """First byte."""
    size: int
    """Length in bytes."""

    def __post_init__(self) -> None:
        """Refuse a range that a row of a damaged dataset states, and that is none.

        Raises:
            MediaError: a number is missing or negative, or the end is beyond int64.
        """
        numbers = (self.offset, self.size)
        if not all(type(number) is int and number >= 0 for number in numbers) or sum(numbers) > MOST_BYTES:
            raise MediaError(f"{self.offset!r:.40}+{self.size!r:.40} is no byte range: it is negative, or has no end")


class TarWriter:
    """Write an archive member by member; `close` ends it and leaves its stream open."""

    def __init__(self, stream: ByteSink) -> None:
        self._stream = stream

    def add(self, name: str, size: int, content: Iterable[bytes]) -> MemberRange:
        """Append a member and return the range of its content.

        Args:
            name: name of the member.
            size: length of the content in bytes.
            content: the content in pieces of any length.

        Raises:
            ValueError: the name is longer than USTAR allows (100 bytes).
            OSError: the stream cannot be written.
        """
        header = tarfile.TarInfo(name)
        header.size, header.mode = size, 0o644
        self._stream.write(header.tobuf(tarfile.USTAR_FORMAT))
        where = MemberRange(offset=self._stream.tell(), size=size)
        for piece in content:
            self._stream.write(piece)
        self._stream.write(bytes(_padding(size)))
        return where

    def close(self) -> None:
        """Append the end of the archive."""
        self._stream.write(bytes(2 * _BLOCK))
        self._stream.write(bytes(-self._stream.tell() % tarfile.RECORDSIZE))


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> list[MemberRange]:
    """Write an archive, which appears once it is complete; see `write_members`.

    Raises:
        ValueError: two members share a name, or a name is longer than USTAR allows (100 bytes).
        OSError: the disk refused; `path` is as it was before.
    """
    with replacing(path) as stream:
        return write_members(stream, members)


def write_members(stream: ByteSink, members: Sequence[tuple[str, bytes]]) -> list[MemberRange]:
    """Write an archive into an open file and return the range of each member's content, in order.

    A clip's files share the name up to the first dot (`<clip_id>.mp4`, `<clip_id>.flac`), which is how WebDataset
    groups a sample.

    Raises:
        ValueError: two members share a name, or a name is longer than USTAR allows (100 bytes).
    """
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise ValueError(f"two members of {names} share a name; every clip id may appear once")
    tar = TarWriter(stream)
    ranges = [tar.add(name, len(content), [content]) for name, content in members]
    tar.close()
    return ranges


def read_member(dataset: Path, media: str, where: MemberRange) -> bytes:
    """Return the bytes `where` of the tar `media`, a path relative to the dataset; of a remote one no others are read.

    Raises:
        MediaError: the tar is missing, outside the dataset, no regular file, or ends before the range does.
    """
    path = tar_path(dataset, media)
    if where.size > MAX_CLIP_BYTES:
        raise MediaError(
            f"{path}: the byte range {where.offset}+{where.size} is longer than a clip: {MAX_CLIP_BYTES:,}"
        )
    try:
        content = read_range(path, where.offset, where.size)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror or error}") from error
    if len(content) < where.size:
        raise MediaError(f"{path}: the byte range {where.offset}+{where.size} goes past the end of the tar")
    return content


def member_name_at(dataset: Path, media: str, where: MemberRange) -> str | None:
    """Return the name of the tar member whose content is exactly `where`; None if no member has exactly this range.

    Raises:
        MediaError: the tar cannot be read.
    """
    if where.offset < _BLOCK:
        return None
    block = read_member(dataset, media, MemberRange(offset=where.offset - _BLOCK, size=_BLOCK))
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        return None
    return header.name if header.size == where.size else None


def tar_path(dataset: Path, media: str) -> Path:
    """Return the path of the tar `media`, a path relative to the dataset; the tar may be missing.

    Raises:
        MediaError: it is no name of a tar of a dataset, or that of a link, or of no regular file.
    """
    try:
        return file_in(dataset, media_name(media))
    except DatasetError as error:
        raise MediaError(f"{media!r:.100} lies outside the dataset, or is no tar of it: {error}") from error
