"""Where recordings that were joined byte by byte begin in a file.

Each is a file of its own: read from its first byte on, it has its own streams, codecs and clock.
"""

from pathlib import Path

from curation.media.packets.byte_ranges import ByteRange
from curation.media.packets.clocks import Clocks
from curation.media.packets.programmes import other_streams_at
from curation.media.packets.scan import PacketScan
from foundation.array_types import Int64Array
from foundation.storage.locations import read_range

__all__ = ["joined_ranges"]

_SIGNATURES = {
    "matroska": b"\x1a\x45\xdf\xa3",
    "flv": b"FLV\x01",
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "ogg": b"OggS\x00\x02",
    "nut": b"nut/multimedia container\0",
    "mpeg": b"\x00\x00\x01\xba",
}
"""The bytes with which a recording begins, by the format of its container."""

_ENDING_FORMATS = frozenset({"flv", "asf", "ogg"})
"""Formats of which FFmpeg reads the first recording only: the next one begins behind its last packet."""

_MOST_BYTES = 4 << 20
"""Bytes in which a beginning is looked for."""

_UNREAD_BYTES = 1 << 15
"""A transport stream that holds more than this behind the last packet of its streams may go on with others."""

_INDEX_SHARE = 0.1
"""An MP4 file that holds more than this behind its last packet may hold more than its index there."""

_MOST_BOXES = 100_000

_PACKET_SIZES = (188, 192, 204)
"""Packets of a transport stream: plain, with a time code before each, with error correction after each."""


def joined_ranges(path: Path, held: ByteRange, scan: PacketScan, clocks: Clocks) -> list[ByteRange]:
    """Return the ranges of bytes that hold a recording each, in order; empty where `held` is one, or not divisible.

    Args:
        path: the file.
        held: the bytes of it that were scanned.
        scan: their packets.
        clocks: their frames by the clock that they follow.
    """
    if scan.format_names & {"mov", "avi"}:
        # FFmpeg reads the first index only; the lengths of the outermost boxes lead to the next one.
        is_avi = "avi" in scan.format_names
        unread = held.size - scan.end_byte > _INDEX_SHARE * held.size
        look = is_avi or unread or len(clocks.runs) > 1
        starts = [(start, 0) for start in _boxed_starts(path, held, is_avi=is_avi)] if look else []
    else:
        runs = zip(clocks.runs[:-1], clocks.runs[1:], strict=True)
        found = [_start_between(path, held, scan, before, after) for before, after in runs]
        starts = [start for start in found if start is not None]
        if (behind := _start_behind(path, held, scan)) is not None:
            starts.append((behind, 0))
    if not starts:
        return []
    firsts = [(held.first, held.head), *starts]
    ends = [*(first for first, _ in starts), held.end]
    return [ByteRange(first=first, end=end, head=head) for (first, head), end in zip(firsts, ends, strict=True)]


def _start_between(
    path: Path, held: ByteRange, scan: PacketScan, before: Int64Array, after: Int64Array
) -> tuple[int, int] | None:
    """Return where the recording begins to which the frames `after` belong, and how much head it needs."""
    last, first = _position(scan, before[::-1]), _position(scan, after)
    if last is None or first is None or first <= last:
        return None
    # its audio may come before its first frame
    first = min([first, *(jump for jump in scan.audio_jumps if last < jump < first)])
    from_byte = max(last, first - _MOST_BYTES)
    place = held.first - held.head  # of what is counted from the beginning of `held`
    between = read_range(path, place + from_byte, first - from_byte)
    if "mpegts" in scan.format_names:
        at = _tables_before(between, scan.stream_ids)
        return (place + first, scan.first_byte) if at is None else (place + from_byte + at, 0)
    for signature in (_SIGNATURES[name] for name in scan.format_names & _SIGNATURES.keys()):
        if (at := between.rfind(signature)) >= 0:
            return place + from_byte + at, 0
    # An encoder that is started again in an FLV file writes no header.
    return (place + first, scan.first_byte) if "flv" in scan.format_names else None


def _position(scan: PacketScan, numbers: Int64Array) -> int | None:
    """Return the byte at which the first of the packets begins of which it is known."""
    return next((at for number in numbers.tolist() if (at := scan.positions[number]) is not None), None)


def _tables_before(between: bytes, stream_ids: frozenset[int]) -> int | None:
    """Return where the tables of a recording begin in bytes that end with the last packet before its first one.

    None where a packet of the streams is nearer: of the recording before.
    """
    for size in _PACKET_SIZES:
        sync = 4 if size == 192 else 0  # behind the time code
        places = [*range(len(between) - size, -1, -size)]
        if places and all(between[at + sync] == 0x47 for at in places[:8]):
            for at in places:
                pid = (between[at + sync + 1] & 0x1F) << 8 | between[at + sync + 2]
                if pid == 0 or pid in stream_ids:
                    return None if pid else at
    return None


def _start_behind(path: Path, held: ByteRange, scan: PacketScan) -> int | None:
    """Return where the next recording begins behind the last packet that was read."""
    place = held.first - held.head + scan.end_byte
    size = held.end - place
    if "mpegts" in scan.format_names:
        if size <= _UNREAD_BYTES:
            return None
        at = other_streams_at(read_range(path, place, min(_MOST_BYTES, size)), scan.stream_ids)
        return None if at is None else place + at
    signature = next((_SIGNATURES[name] for name in scan.format_names & _ENDING_FORMATS), None)
    if signature is None or size <= 0:
        return None
    at = read_range(path, place, min(_MOST_BYTES, size)).find(signature)
    return place + at if at >= 0 else None


def _boxed_starts(path: Path, held: ByteRange, *, is_avi: bool) -> list[int]:
    """Return where further recordings begin in an MP4 or AVI file, by the lengths of its outermost boxes."""
    starts = []
    at = held.first
    for _ in range(_MOST_BOXES):
        head = read_range(path, at, 16) if at + 16 <= held.end else b""
        if len(head) < 16:
            break
        begins = head[:4] == b"RIFF" and head[8:12] == b"AVI " if is_avi else head[4:8] == b"ftyp"
        if begins and at > held.first:
            starts.append(at)
        if is_avi:
            size = 8 + int.from_bytes(head[4:8], "little")
            size += size % 2
        else:
            size = int.from_bytes(head[:4], "big")
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if size < 8 or (is_avi and head[:4] != b"RIFF"):
            break
        at += size
    return starts
