"""What the header of a clip's MP4 file states, read before a demuxer reserves memory for it.

A demuxer makes an index of as many entries as the header states, and a header of 2 KB may state a thousand million
frames. ISO/IEC 14496-12 defines the boxes.
"""

import struct

from foundation.text import count_text
from manifests.errors import MediaError
from manifests.limits import MAX_CLIP_FRAMES

__all__ = ["stated_frames"]

_HEADER = 8
"""Bytes of a box before its content: length and type."""

_FOREIGN = (b"moof", b"trun", b"cmov", b"stz2", b"senc", b"saiz")
"""Boxes that no clip has: frames in fragments, compressed headers and tables, encryption. Their counts can be of any
size without taking bytes of the file."""

_RUNS = (b"stts", b"ctts")
"""Boxes that give times to runs of frames: pairs of a count and a number."""

_MAX_EDITS = 2
"""FFmpeg writes one edit, and another before it for a track that begins late. Each edit repeats the index."""


def stated_frames(mp4: bytes) -> int:
    """Return the number of frames that the header states.

    Raises:
        MediaError: it is no MP4 file of one track, or states more than a clip can have.
    """
    header = _outside_media(mp4)
    for box in _FOREIGN:
        if box in header:
            raise MediaError(f"the video has a box {box.decode()}, which clips do not have")
    if header.count(b"moov") != 1 or header.count(b"trak") != 1 or header.count(b"stsz") != 1:
        raise MediaError("the video is no MP4 file of one track")
    # after the type: version and flags, the size that all frames share, their number
    frames = _number(header, header.index(b"stsz") + 12)
    runs = [_run_frames(header, box) for box in _RUNS]
    if max(frames, *runs) > MAX_CLIP_FRAMES:
        raise MediaError(f"the video states {max(frames, *runs):,} frames, a clip has {MAX_CLIP_FRAMES:,} at most")
    if header.count(b"elst") > 1 or (b"elst" in header and _number(header, header.index(b"elst") + 8) > _MAX_EDITS):
        raise MediaError(f"the video is cut together from more than {_MAX_EDITS} edits, which clips are not")
    return frames


def _outside_media(mp4: bytes) -> bytes:
    """Return everything but the content of the box `mdat`, which holds the frames."""
    pieces, start, position = [], 0, 0
    while position < len(mp4):
        size, kind = struct.unpack_from(">I4s", mp4, position) if position + _HEADER <= len(mp4) else (0, b"")
        if size == 1:  # the length follows, in 64 bits
            size = struct.unpack_from(">Q", mp4, position + _HEADER)[0] if position + 16 <= len(mp4) else 0
        if size < _HEADER or position + size > len(mp4):
            raise MediaError(
                f"the video cannot be decoded: no MP4 file, or cut short: its box at byte {position} has {size} bytes"
            )
        if kind == b"mdat":
            pieces.append(mp4[start:position])
            start = position + size
        position += size
    return b"".join([*pieces, mp4[start:]])


def _run_frames(header: bytes, box: bytes) -> int:
    """Return the number of frames in all runs of a box; 0 without the box."""
    if header.count(box) > 1:
        raise MediaError(f"the video has {header.count(box)} boxes {box.decode()}, clips have one")
    start = header.find(box)
    if start < 0:
        return 0
    n_runs = _number(header, start + 8)
    if start + 12 + 8 * n_runs > len(header):
        runs = count_text(n_runs, "run of frames", "runs of frames")
        raise MediaError(f"the video is cut short: its box {box.decode()} states {runs}")
    return sum(struct.unpack_from(f">{2 * n_runs}I", header, start + 12)[::2])


def _number(header: bytes, position: int) -> int:
    if position + 4 > len(header):
        raise MediaError("the video is cut short: its header ends inside a box")
    number: int = struct.unpack_from(">I", header, position)[0]
    return number
