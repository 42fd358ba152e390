"""Short excerpts of real clips, and kinds of damage as pure functions of bytes and a random generator.

The excerpts are made without decoding: packets of the beginning are copied unchanged into a new container.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

__all__ = ["DAMAGES", "MP4_DAMAGES", "Box", "all_boxes", "excerpt"]

_CONTAINERS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"mvex", b"moof", b"traf"}
)
"""Boxes of an MP4 file that contain boxes and nothing else."""

_NUMBERS = frozenset(
    {b"mvhd", b"tkhd", b"mdhd", b"elst", b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco"}
    | {b"mfhd", b"tfhd", b"tfdt", b"trun", b"trex", b"hdlr"}
)
"""Boxes with times, sizes, offsets and types."""

_EXTREMES = (0, 1, 2, 7, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def excerpt(source: Path, target: Path, options: dict[str, str], length_s: float) -> Path:
    """Copy the packets of the beginning of each track of a file; the suffix of `target` chooses the container.

    Args:
        source: a real clip.
        target: the excerpt.
        options: of the muxer, such as the position of the index.
        length_s: time that each track has.
    """
    with av.open(str(source)) as read, av.open(str(target), "w", options={"fflags": "+bitexact"} | options) as write:
        tracks = {
            track.index: write.add_stream_from_template(track) for track in (*read.streams.video, *read.streams.audio)
        }
        begins: dict[int, int] = {}
        for packet in read.demux():
            index = packet.stream_index
            if packet.dts is None or index not in tracks:
                continue
            if (packet.dts - begins.setdefault(index, packet.dts)) * packet.time_base < length_s:
                packet.stream = tracks[index]
                write.mux(packet)
    return target


@dataclass(frozen=True, slots=True)
class Box:
    """A box of an MP4 file in `[start, end)`, its content from `payload` on."""

    kind: bytes
    start: int
    payload: int
    end: int
    parent: int | None
    """Start of the enclosing box; None at the top level."""


def all_boxes(content: bytes, start: int = 0, end: int | None = None, parent: int | None = None) -> Iterator[Box]:
    """Yield the boxes of a complete MP4 file, each before its children."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        header = 8
        if size == 1:
            header, (size,) = 16, struct.unpack_from(">Q", content, start + 8)
        box = Box(kind, start, start + header, start + size if size else end, parent)
        yield box
        if kind in _CONTAINERS:
            yield from all_boxes(content, box.payload, box.end, box.start)
        start = box.end


def _flip(content: bytes, offsets: np.ndarray, random: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    for offset in offsets:
        damaged[offset] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def _flipped_bits(content: bytes, random: np.random.Generator) -> bytes:
    """Flip 1 to 1024 bits anywhere."""
    return _flip(content, random.integers(len(content), size=4 ** int(random.integers(6))), random)


def _flipped_header(content: bytes, random: np.random.Generator) -> bytes:
    """Flip 1 to 16 bits in the first 1024 bytes."""
    return _flip(content, random.integers(min(1024, len(content)), size=int(random.integers(1, 17))), random)


def _flipped_index(content: bytes, random: np.random.Generator) -> bytes:
    """Flip 1 to 16 bits in the index."""
    (index,) = (box for box in all_boxes(content) if box.kind == b"moov")
    return _flip(content, random.integers(index.start, index.end, size=int(random.integers(1, 17))), random)


def _cut_short(content: bytes, random: np.random.Generator) -> bytes:
    return content[: int(random.integers(1, len(content)))]


def _range(content: bytes, random: np.random.Generator) -> slice:
    """Choose a range of 16 bytes to 32 KiB, at most half of the file."""
    length = min(2 ** int(random.integers(4, 16)), len(content) // 2)
    start = int(random.integers(len(content) - length))
    return slice(start, start + length)


def _zeroed(content: bytes, random: np.random.Generator) -> bytes:
    chosen = _range(content, random)
    return content[: chosen.start] + bytes(chosen.stop - chosen.start) + content[chosen.stop :]


def _noise(content: bytes, random: np.random.Generator) -> bytes:
    chosen = _range(content, random)
    return content[: chosen.start] + random.bytes(chosen.stop - chosen.start) + content[chosen.stop :]


def _left_out(content: bytes, random: np.random.Generator) -> bytes:
    chosen = _range(content, random)
    return content[: chosen.start] + content[chosen.stop :]


def _put_in(content: bytes, random: np.random.Generator) -> bytes:
    chosen = _range(content, random)
    return content[: chosen.start] + random.bytes(chosen.stop - chosen.start) + content[chosen.start :]


def _swapped_boxes(content: bytes, random: np.random.Generator) -> bytes:
    """Swap two boxes of the same parent."""
    boxes = list(all_boxes(content))
    pairs = [(a, b) for a in boxes for b in boxes if a.parent == b.parent and a.start < b.start]
    first, second = pairs[int(random.integers(len(pairs)))]
    between = content[first.end : second.start]
    return (
        content[: first.start]
        + content[second.start : second.end]
        + between
        + content[first.start : first.end]
        + content[second.end :]
    )


def _wrong_length(content: bytes, random: np.random.Generator) -> bytes:
    """Write a wrong length into a box."""
    boxes = list(all_boxes(content))
    box = boxes[int(random.integers(len(boxes)))]
    length = box.end - box.start
    lengths = (*_EXTREMES, length - 1, length + 1, length // 2, 2 * length, len(content))
    return _with_number(content, box.start, int(random.choice(lengths)))


def _wrong_number(content: bytes, random: np.random.Generator) -> bytes:
    """Write a wrong number into a table."""
    tables = [box for box in all_boxes(content) if box.kind in _NUMBERS and box.end - box.payload >= 8]
    table = tables[int(random.integers(len(tables)))]
    # Four bytes of version and flags, then numbers of four bytes each.
    offset = table.payload + 4 * int(random.integers(1, (table.end - table.payload) // 4))
    return _with_number(content, offset, int(random.choice([*_EXTREMES, int(random.integers(2**32))])))


def _with_number(content: bytes, offset: int, number: int) -> bytes:
    return content[:offset] + struct.pack(">I", number % 2**32) + content[offset + 4 :]


Damage = Callable[[bytes, np.random.Generator], bytes]

DAMAGES: dict[str, Damage] = {
    "bits flipped": _flipped_bits,
    "bits flipped in the header": _flipped_header,
    "cut short": _cut_short,
    "range zeroed": _zeroed,
    "range of noise": _noise,
    "range left out": _left_out,
    "noise put in": _put_in,
}
"""Kinds of damage to any file."""

MP4_DAMAGES: dict[str, Damage] = {
    "bits flipped in the index": _flipped_index,
    "boxes swapped": _swapped_boxes,
    "wrong length of a box": _wrong_length,
    "wrong number in a table": _wrong_number,
}
"""Further kinds of damage to an MP4 file."""
