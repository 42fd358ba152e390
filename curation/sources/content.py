"""Identity of a file's content: the id of a video, whatever its file is called and wherever it lies.

Three digests are taken of a file, each with its size in bytes:

- `edges`: its first and its last MiB. Two takes of one length in a codec of constant rate, with black at both ends,
  agree in it: DV, MXF, uncompressed video. Older datasets call their videos by it.
- `samples`: also 32 blocks of 128 KiB in between, evenly spread. Two files that agree in it differ nowhere over more
  than a thirty-second of their length.
- `whole`: everything.

The id has 16 hexadecimal digits: 8 of `samples` and 8 of `whole`. A local file is read whole. A remote one is read in
its samples, and the id then has 16 digits of these: its first 8 are those of the same file on a disk. The samples of a
file of at most 6 MiB are all of it; so are the edges of one of at most 2 MiB, which are its id. An id depends on the
content alone, not on other files or the order of a listing, with one exception: where remote files agree in their
samples and differ elsewhere, they were read whole to tell that, and get the ids of files that are read whole.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

from foundation.errors import GaiaError
from foundation.storage.locations import can_seek, is_remote, open_remote, read_ranges, store_errors
from foundation.storage.regular_files import open_regular
from foundation.storage.stated_facts import remote_size

__all__ = ["Content", "ReadingStoppedError", "content_of", "fingerprint", "sample_key"]

_EDGE_BYTES = 1 << 20

_N_SAMPLES = 32

_SAMPLE_BYTES = 128 << 10

_READ_WHOLE_BYTES = 2 * _EDGE_BYTES + _N_SAMPLES * _SAMPLE_BYTES
"""A file up to this size is read whole: its samples would be no less."""

_PIECE_BYTES = 4 << 20
"""Size of a read of a complete file."""

_N_DIGITS = 16


class ReadingStoppedError(GaiaError, OSError):
    """The user ended the command while files were read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """Digests of a file's content, 16 hexadecimal digits each."""

    size_bytes: int
    edges: str
    samples: str
    whole: str | None
    """None for a file of which only the samples were read."""

    @property
    def video_id(self) -> str:
        """Id of a video with this content."""
        if self.size_bytes <= 2 * _EDGE_BYTES:
            return self.edges
        if self.whole is None or self.whole == self.samples:
            return self.samples
        return self.samples[: _N_DIGITS // 2] + self.whole[: _N_DIGITS // 2]

    @property
    def other_ids(self) -> tuple[str, ...]:
        """Ids that the same content has where it was read in its samples, or its edges, alone."""
        return tuple(one for one in dict.fromkeys((self.samples, self.edges)) if one != self.video_id)

    def is_of(self, video_id: str, size_bytes: int) -> bool:
        """Return whether a video with this id and size may have this content, as far as it was read."""
        if self.size_bytes != size_bytes:
            return False
        same_samples = video_id[: _N_DIGITS // 2] == self.samples[: _N_DIGITS // 2]
        return video_id in (self.video_id, *self.other_ids) or (self.whole is None and same_samples)


def sample_key(video_id: str, size_bytes: int) -> str:
    """Return what the ids of one content have in common, however much of it was read.

    >>> sample_key("0123456789abcdef", 40)
    '01234567-40'
    """
    return f"{video_id[: _N_DIGITS // 2]}-{size_bytes}"


def fingerprint(path: Path) -> str:
    """Return the id of a video, 16 hexadecimal digits of its content.

    Renaming a file changes nothing; replacing it does.

    Raises:
        OSError: the file cannot be read.
    """
    return content_of(path, whole=not is_remote(path)).video_id


def content_of(path: Path, *, whole: bool, stop: Event | None = None) -> Content:
    """Read a file and return the digests of its content.

    Args:
        path: the file, or its address.
        whole: whether to read all of it, otherwise its samples, where it is large and its server sends ranges.
        stop: ends the reading once it is set.

    Raises:
        OSError: the file cannot be read, or is no regular file; ReadingStoppedError: `stop` was set.
    """
    if is_remote(path):
        with store_errors(path):
            return _of_remote(path, whole=whole, stop=stop)
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if whole or size <= _READ_WHOLE_BYTES:
            return _of_stream(stream, size, stop)
        return _of_samples(size, list(_read(stream, _ranges(size))))


def _of_remote(path: Path, *, whole: bool, stop: Event | None) -> Content:
    size = remote_size(path)
    if size == 0:
        return _of_bytes(b"")
    if size is not None and not whole and can_seek(path):
        if size <= _READ_WHOLE_BYTES:
            return _of_bytes(b"".join(read_ranges(path, [(0, size)])))
        return _of_samples(size, read_ranges(path, _ranges(size)))
    if size is None:  # a web server that does not say it
        with open_remote(path, 0) as stream:
            size = sum(map(len, _pieces(stream, stop)))
    with open_remote(path, 0) as stream:
        return _of_stream(stream, size, stop)


def _ranges(size: int) -> list[tuple[int, int]]:
    """Return the samples of a large file as half-open ranges of bytes in order: its edges, and blocks in between."""
    between = size - 2 * _EDGE_BYTES - _SAMPLE_BYTES
    starts = [_EDGE_BYTES + between * k // (_N_SAMPLES - 1) for k in range(_N_SAMPLES)]
    return [
        (0, _EDGE_BYTES),
        *((start, start + _SAMPLE_BYTES) for start in starts),
        (size - _EDGE_BYTES, size),
    ]


def _read(stream: BinaryIO, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    for start, end in ranges:
        stream.seek(start)
        yield stream.read(end - start)


def _pieces(stream: BinaryIO, stop: Event | None) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        if stop is not None and stop.is_set():
            raise ReadingStoppedError
        yield piece


def _of_bytes(content: bytes) -> Content:
    """Return the digests of a file that is no larger than its samples would be."""
    size = len(content)
    everything = _digest(size, [content])
    return Content(
        size_bytes=size,
        edges=_digest(size, [content[:_EDGE_BYTES], content[max(0, size - _EDGE_BYTES) :]]),
        samples=everything,
        whole=everything,
    )


def _of_samples(size: int, samples: Sequence[bytes]) -> Content:
    edges = (samples[0], samples[-1])
    return Content(size_bytes=size, edges=_digest(size, edges), samples=_digest(size, samples), whole=None)


def _of_stream(stream: BinaryIO, size: int, stop: Event | None) -> Content:
    """Return the digests of a file that is read from its beginning to its end, once."""
    if size <= _READ_WHOLE_BYTES:
        return _of_bytes(b"".join(_pieces(stream, stop)))
    ranges = _ranges(size)
    samples = [b""] * len(ranges)
    whole = hashlib.sha256(size.to_bytes(8, "little"))
    position = 0
    for piece in _pieces(stream, stop):
        whole.update(piece)
        for number, (start, end) in enumerate(ranges):
            samples[number] += piece[max(0, start - position) : max(0, end - position)]
        position += len(piece)
    sampled = _of_samples(size, samples)
    return Content(size_bytes=size, edges=sampled.edges, samples=sampled.samples, whole=whole.hexdigest()[:_N_DIGITS])


def _digest(size: int, parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:_N_DIGITS]
