"""The programmes of an MPEG transport stream: which streams belong together (ISO/IEC 13818-1, 2.4.4).

FFmpeg knows them, and PyAV does not pass them on; so the tables at the beginning of the file are read here.
"""

import io
from collections.abc import Iterator
from pathlib import Path

from av.container import InputContainer

__all__ = ["other_streams_at", "programmes"]

_READ_BYTES = 4 << 20
"""The tables are repeated every 0.1 s, in practice at least twice a second."""

_PACKET_BYTES = 188
_SPACINGS = (188, 192, 204)
"""Distances of packets: plain, with a time code before each (Blu-ray, AVCHD), with error correction after each."""

_SYNC = 0x47
_PROGRAMME_TABLE, _STREAM_TABLE = 0x00, 0x02
"""Table identifiers: programme association, programme map."""


def programmes(container: InputContainer) -> list[frozenset[int]]:
    """Return the identifiers (PID, `Stream.id` in PyAV) of the streams of each programme.

    Empty for a container that has none, or of which the tables cannot be read.
    """
    if "mpegts" not in container.format.name.split(","):
        return []
    maps: dict[int, frozenset[int]] = {}
    for _, pid, section in _sections(_beginning(container)):
        _read(pid, section, maps)
        if maps and all(maps.values()):
            break
    return [pids for pids in maps.values() if pids]


def other_streams_at(content: bytes, known: frozenset[int]) -> int | None:
    """Return where the tables begin that name none but other streams; None without such tables.

    Args:
        content: a part of a transport stream.
        known: identifiers of streams.
    """
    maps: dict[int, frozenset[int]] = {}
    begin: int | None = None
    for at, pid, section in _sections(content):
        if pid == 0:
            maps, begin = {}, at
        _read(pid, section, maps)
        named = maps.get(pid, frozenset())
        if named and not named & known:
            return begin
    return None


def _read(pid: int, section: bytes, maps: dict[int, frozenset[int]]) -> None:
    """Enter a table into `maps`: identifiers of streams by that of their programme's map."""
    if pid == 0 and section[0] == _PROGRAMME_TABLE:
        entries = (section[at : at + 4] for at in range(8, len(section) - 7, 4))
        found = {_pid(entry[2:]) for entry in entries if entry[:2] != bytes(2)}  # number 0 names no programme
        present = {pid: maps.get(pid, frozenset()) for pid in found}
        maps.clear()
        maps.update(present)
    elif pid in maps and section[0] == _STREAM_TABLE and len(section) > 12:
        maps[pid] = frozenset(_stream_pids(section))


def _beginning(container: InputContainer) -> bytes:
    source = container.file.file if container.file else None
    if source is None:
        with Path(container.name).open("rb") as file:
            return file.read(_READ_BYTES)
    here = source.tell()
    source.seek(0, io.SEEK_SET)
    pieces, size = [], 0
    while size < _READ_BYTES and (piece := source.read(_READ_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    source.seek(here, io.SEEK_SET)
    return b"".join(pieces)


def _stream_pids(section: bytes) -> Iterator[int]:
    """Yield the streams of a programme map."""
    at = 12 + _length(section[10:])
    while at + 5 <= len(section) - 4:
        yield _pid(section[at + 1 :])
        at += 5 + _length(section[at + 3 :])


def _sections(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (place, PID, section) of the tables, each whole, without a check of its sum.

    The place is that of the packet in which the section ends.
    """
    unfinished: dict[int, bytes] = {}
    for place, packet in _packets(content):
        begins, pid = bool(packet[1] & 0x40), _pid(packet[1:])
        at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        payload = packet[at:] if packet[3] & 0x10 else b""
        if not payload:
            continue
        if begins and payload[1 + payload[0] :][:1] in (b"\x00", b"\x02"):  # a pointer to where the section begins
            unfinished[pid] = payload[1 + payload[0] :]
        elif not begins and pid in unfinished:
            unfinished[pid] += payload
        part = unfinished.get(pid, b"")
        if len(part) >= 3 and len(part) >= 3 + _length(part[1:]):
            yield place, pid, part[: 3 + _length(part[1:])]
            del unfinished[pid]


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (place, packet), from the first place on where three packets follow each other."""
    for first in range(min(len(content), 10 * max(_SPACINGS))):
        for spacing in _SPACINGS:
            if all(content[first + k * spacing : first + k * spacing + 1] == bytes([_SYNC]) for k in range(3)):
                for at in range(first, len(content) - _PACKET_BYTES + 1, spacing):
                    if content[at] == _SYNC:
                        yield at, content[at : at + _PACKET_BYTES]
                return


def _pid(two_bytes: bytes) -> int:
    """Return the number in the last 13 bits."""
    return (two_bytes[0] & 0x1F) << 8 | two_bytes[1]


def _length(two_bytes: bytes) -> int:
    """Return the number in the last 12 bits."""
    return (two_bytes[0] & 0x0F) << 8 | two_bytes[1]
