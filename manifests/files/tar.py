"""Layout of the media archives: tar files whose members are read by byte range."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from foundation.storage.atomic import replacing
from foundation.storage.locations import is_address, is_remote, read_range
from manifests.files.media import MediaError

__all__ = ["MemberRange", "member_name_at", "read_member", "tar_bytes", "write_members", "write_tar"]

_BLOCK = 512


def tar_bytes(size: int) -> int:
    """Return what a file of `size` bytes takes in a tar, its header included."""
    return _BLOCK + -(-size // _BLOCK) * _BLOCK


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRange:
    """Where the content of a tar member lies in its tar."""

    offset: int
    """First byte."""
    size: int
    """Length in bytes."""


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> list[MemberRange]:
    """Write a USTAR archive, which appears once it is complete, and return where each member lies; see `write_members`.

    Raises:
        ValueError: two members share a name, or a name is longer than USTAR allows (100 bytes).
        OSError: the disk refused; `path` is as it was before.
    """
    with replacing(path) as stream:
        return write_members(stream, members)


def write_members(stream: BinaryIO, members: Sequence[tuple[str, bytes]]) -> list[MemberRange]:
    """Write a USTAR archive into an open file and return where the content of each member lies in it.

    Members keep their order; owner, mode and time are fixed, so that equal members give equal bytes. A clip's files
    share the name up to the first dot (`<clip_id>.mp4`, `<clip_id>.flac`), which is how WebDataset groups a sample.

    Raises:
        ValueError: two members share a name, or a name is longer than USTAR allows (100 bytes).
    """
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise ValueError(f"two members of {names} share a name; every clip id may appear once")
    ranges = []
    for name, content in members:
        header = tarfile.TarInfo(name)
        header.size, header.mode = len(content), 0o644
        stream.write(header.tobuf(tarfile.USTAR_FORMAT))
        ranges.append(MemberRange(offset=stream.tell(), size=len(content)))
        stream.write(content)
        stream.write(bytes(-len(content) % tarfile.BLOCKSIZE))
    stream.write(bytes(2 * tarfile.BLOCKSIZE))
    stream.write(bytes(-stream.tell() % tarfile.RECORDSIZE))
    return ranges


def read_member(dataset: Path, media: str, where: MemberRange) -> bytes:
    """Return the bytes `where` of the tar `media`, a path relative to the dataset; of a remote one no others are read.

    Raises:
        MediaError: the tar is missing, outside the dataset, or ends before the range does.
    """
    path = tar_path(dataset, media)
    if where.offset < 0 or where.size < 0:
        raise MediaError(f"{path}: the byte range {where.offset}+{where.size} is negative")
    try:
        content = read_range(path, where.offset, where.size)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror or error}") from error
    if len(content) < where.size:
        raise MediaError(f"{path}: the byte range {where.offset}+{where.size} goes past the end of the tar")
    return content


def member_name_at(dataset: Path, media: str, where: MemberRange) -> str | None:
    """Return the name of the tar member whose content is exactly `where`; None where no member begins and ends so.

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
    path = dataset / media
    if is_remote(dataset):  # there are no links, and keys are what they are called
        if ".." in media.split("/") or media.startswith("/") or is_address(media):
            raise MediaError(f"{media} lies outside the dataset")
        return path
    if not path.resolve().is_relative_to(dataset.resolve()):
        raise MediaError(f"{media} lies outside the dataset")
    return path
