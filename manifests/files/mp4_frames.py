"""Where the frames of a clip lie in its MP4 file, so that they are given to a decoder without a demuxer.

A demuxer decodes frames to find out what a file holds, which takes as long as decoding four frames. Clips that
`curation` writes need none of it: their tables state a frame every 1/25 s, each in one piece, in order. Of every other
file nothing is said here, and a demuxer decides what its frames are. ISO/IEC 14496-12 defines the boxes, 14496-15 those
of H.264.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from foundation.array_types import Int64Array
from manifests.timeline import TICK_RATE_HZ

__all__ = ["FrameTable", "frame_table"]

_HEAD = struct.Struct(">I4s")
"""A box before its content: length and type."""

_OF_TRACK = (b"tkhd", b"edts", b"mdia")
"""Boxes of a track; any other may change which frames there are."""

_OF_FRAMES = (b"stsd", b"stts", b"stss", b"stsc", b"stsz", b"stco")
"""Boxes of the tables of frames that are understood here."""

_MOST_BOXES = 32
"""Boxes beside each other; clips have five at most. More would take memory many times their size."""

_VIDEO_ENTRY = 78
"""Bytes of the description of a video before its own boxes."""

_EXTRADATA_BOX = b"avcC"

_OF_DESCRIPTION = (_EXTRADATA_BOX, b"colr", b"pasp", b"btrt", b"fiel")
"""Boxes in the description of a video that change nothing about its frames."""


_OF_ONE_FRAME = (1, 5, 6, 9, 12)
"""Kinds of units of H.264 that concern one frame: slices, remarks, limits, filling. Sets of parameters are others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameTable:
    """Frames of a video, number k at k / 25 s, each after the ones that it depends on."""

    extradata: bytes
    """Parameters of the decoder (AVCDecoderConfigurationRecord)."""
    width_px: int
    height_px: int
    start: Int64Array
    """(N,) first byte of each frame in the file."""
    size: Int64Array
    """(N,) its length."""
    key_frames: Sequence[int]
    """Numbers of the frames that depend on no other, in ascending order; the first is 0."""

    def frames(self, mp4: bytes, first: int, end: int) -> Iterator[bytes]:
        """Yield the contents of the frames from `first` to before `end`, as their decoder takes them."""
        start = self.start[first:end]
        for begin, end_of_frame in zip(start.tolist(), (start + self.size[first:end]).tolist(), strict=True):
            yield mp4[begin:end_of_frame]

    def is_pure(self, frame: bytes) -> bool:
        """Return whether a frame leaves its decoder as it was for other clips: it has no parameters of its own."""
        if len(self.extradata) < 5 or self.extradata[4] & 3 != 3:  # lengths of other than 4 bytes
            return False
        at = 0
        while at + 4 < len(frame):
            if frame[at + 4] & 31 not in _OF_ONE_FRAME:
                return False
            at += 4 + int.from_bytes(frame[at : at + 4], "big")
        return True

    def first_for(self, number: int) -> int:
        """Return the frame at which decoding begins for a frame: the last one up to it that depends on no other."""
        return self.key_frames[bisect_right(self.key_frames, number) - 1]


class _OtherFileError(Exception):
    """A file is not as `curation` writes it."""


def frame_table(mp4: bytes) -> FrameTable | None:
    """Return where the frames of a video lie; None where it is not written as `curation` writes clips.

    Whatever is stated about a frame lies within `mp4`.

    Args:
        mp4: the file, of whose header `manifests.files.mp4_header.stated_frames` has accepted the counts.
    """
    try:
        return _frame_table(mp4)
    except (_OtherFileError, struct.error, KeyError, IndexError, ValueError):
        return None


def _frame_table(mp4: bytes) -> FrameTable:
    moov = _boxes(mp4, 0, len(mp4))[b"moov"]
    header = _boxes(mp4, *moov)
    track = _boxes(mp4, *header[b"trak"])
    media = _boxes(mp4, *track[b"mdia"])
    tables = _boxes(mp4, *_boxes(mp4, *media[b"minf"])[b"stbl"])
    _require(set(track) <= set(_OF_TRACK) and set(tables) <= set(_OF_FRAMES))
    size = _sizes(mp4, *tables[b"stsz"])
    start = _starts(mp4, tables, size)
    _require(size.min() > 0 and (start + size).max() <= len(mp4))
    _require_rate(mp4, media[b"mdhd"], tables[b"stts"], len(size))
    if b"edts" in track:
        _require_whole(mp4, header[b"mvhd"], _boxes(mp4, *track[b"edts"])[b"elst"], len(size))
    extradata, width_px, height_px = _description(mp4, *tables[b"stsd"])
    return FrameTable(
        extradata=extradata,
        width_px=width_px,
        height_px=height_px,
        start=start,
        size=size,
        key_frames=_key_frames(mp4, tables, len(size)),
    )


def _key_frames(mp4: bytes, tables: dict[bytes, tuple[int, int]], n_frames: int) -> Sequence[int]:
    if b"stss" not in tables:
        return range(n_frames)
    start, _ = tables[b"stss"]
    numbers: list[int] = (_numbers(mp4, start + 8, _number(mp4, start + 4), 1)[:, 0] - 1).tolist()
    _require(numbers[0] == 0 and numbers[-1] < n_frames)
    _require(all(number < following for number, following in pairwise(numbers)))
    return numbers


def _boxes(mp4: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return by type the range of the content of each box; a type may appear once, and lengths have 32 bits."""
    found: dict[bytes, tuple[int, int]] = {}
    while start < end:
        size, kind = _HEAD.unpack_from(mp4, start)
        _require(_HEAD.size <= size <= end - start and kind not in found and len(found) < _MOST_BOXES)
        found[kind] = (start + _HEAD.size, start + size)
        start += size
    return found


def _require(holds: bool | np.bool_) -> None:
    if not holds:
        raise _OtherFileError


def _number(mp4: bytes, position: int) -> int:
    number: int = struct.unpack_from(">I", mp4, position)[0]
    return number


def _numbers(mp4: bytes, position: int, n_rows: int, n_columns: int) -> Int64Array:
    """Return (n_rows, n_columns) numbers of a table.

    Raises:
        ValueError: the file ends before.
    """
    numbers = np.frombuffer(mp4, ">u4", n_rows * n_columns, position)
    return numbers.astype(np.int64).reshape(n_rows, n_columns)


def _sizes(mp4: bytes, start: int, end: int) -> Int64Array:
    common, n_frames = struct.unpack_from(">2I", mp4, start + 4)
    _require(common == 0 and end - start == 12 + 4 * n_frames)
    return _numbers(mp4, start + 12, n_frames, 1)[:, 0]


def _starts(mp4: bytes, tables: dict[bytes, tuple[int, int]], size: Int64Array) -> Int64Array:
    """Return the first byte of each frame: frames follow each other within a chunk."""
    n_runs = _number(mp4, tables[b"stsc"][0] + 4)
    runs = _numbers(mp4, tables[b"stsc"][0] + 8, n_runs, 3)
    n_chunks = _number(mp4, tables[b"stco"][0] + 4)
    chunks = _numbers(mp4, tables[b"stco"][0] + 8, n_chunks, 1)[:, 0]
    first, per_chunk, description = runs.T
    _require(first[0] == 1 and (np.diff(first) > 0).all() and first[-1] <= n_chunks and (description == 1).all())
    before = np.cumsum(size) - size
    if n_chunks == 1:
        _require(per_chunk[0] == len(size))
        return np.asarray(before + chunks[0])
    counts = np.repeat(per_chunk, np.diff([*first, n_chunks + 1]))
    _require(counts.sum() == len(size))  # before they are multiplied out: thousands of millions may be stated
    first_of_chunk = np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.repeat(chunks, counts) + before - before[first_of_chunk])


def _require_rate(mp4: bytes, header: tuple[int, int], runs: tuple[int, int], n_frames: int) -> None:
    """Require a frame every 1/25 s."""
    _require(mp4[header[0]] == 0)  # times of 32 bits
    ticks_per_s = _number(mp4, header[0] + 12)
    n_runs, count, ticks = struct.unpack_from(">3I", mp4, runs[0] + 4)
    _require(n_runs == 1 and count == n_frames and ticks > 0 and ticks * TICK_RATE_HZ == ticks_per_s)


def _require_whole(mp4: bytes, header: tuple[int, int], edits: tuple[int, int], n_frames: int) -> None:
    """Require one edit that shows all frames from the first on, at their own speed."""
    _require(mp4[header[0]] == 0 and mp4[edits[0]] == 0)
    ticks_per_s = _number(mp4, header[0] + 12)
    n_edits, shown, begins, speed = struct.unpack_from(">4I", mp4, edits[0] + 4)
    _require(n_edits == 1 and begins == 0 and speed == 1 << 16 and shown * TICK_RATE_HZ >= n_frames * ticks_per_s)


def _description(mp4: bytes, start: int, end: int) -> tuple[bytes, int, int]:
    """Return parameters of the decoder, width and height in pixels."""
    _require(_number(mp4, start + 4) == 1)
    start, end = _boxes(mp4, start + 8, end)[b"avc1"]
    width_px, height_px = struct.unpack_from(">2H", mp4, start + 24)
    boxes = _boxes(mp4, start + _VIDEO_ENTRY, end)
    _require(set(boxes) <= set(_OF_DESCRIPTION))
    first, last = boxes[_EXTRADATA_BOX]
    return mp4[first:last], width_px, height_px
