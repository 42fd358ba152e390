"""One reading of all packets of a file: the times of its frames, and the holes between them. Nothing is decoded."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from curation.media.container import best_audio_stream, exact, packets
from foundation.array_types import Float64Array

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["BACK_S", "HOLE_S", "Hole", "PacketScan", "scan_packets"]

BACK_S = 0.5
"""A decoding time that goes back by more is a clock that begins anew, or damage: encoders never go back."""

HOLE_S = 1.0
"""Distance of two frames above which the file is asked whether the first is held or others are missing."""

_LEAP_S = 60.0
"""Audio that goes on so much later may follow another clock."""

_FILLED = 0.8
"""Share of a hole that audio, or the stated duration of the frame before it, has to fill."""

_MOST_STRAY_BYTES = 1 << 16
"""Bytes between two packets that belong to none; more are damage. Ours: headers and indices are smaller."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """More than a second between two frames that follow each other in the file."""

    before: int
    """Number of the frame before it."""
    length_s: float
    heard_s: float
    """Audio that the file holds between the two frames."""
    heard_later: bool
    """Whether the file holds audio after it."""
    stated_s: float
    """Duration that the file states for the frame before."""
    stray_bytes: int
    """Bytes between the two packets that belong to no packet."""
    is_corrupt: bool
    """Whether the demuxer marks one of the two as damaged."""

    @property
    def is_heard(self) -> bool:
        """Whether audio fills the hole."""
        return self.heard_s >= _FILLED * self.length_s

    def is_held(self, format_names: frozenset[str]) -> bool:
        """Return whether the frame before it stays visible, so that none is missing: damage would leave traces.

        Args:
            format_names: of the container.
        """
        if self.is_heard or self.stated_s >= _FILLED * self.length_s:
            return True
        if self.heard_later or self.is_corrupt:
            return False
        # A transport stream counts its packets, and fills itself up with tables and empty packets.
        return "mpegts" in format_names or self.stray_bytes <= _MOST_STRAY_BYTES


@dataclass(slots=True)
class PacketScan:
    """The packets of the video track in the order of the file, and what the other tracks tell of it."""

    time_base: Fraction
    format_names: frozenset[str]
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    """0 where unknown."""
    positions: list[int | None] = field(default_factory=list)
    """Byte at which a packet begins, where the demuxer tells it."""
    holes: list[Hole] = field(default_factory=list)
    audio_jumps: list[int] = field(default_factory=list)
    """Bytes at which an audio packet begins whose time does not follow the one before."""
    first_byte: int = 0
    """Where the first packet of any track begins."""
    end_byte: int = 0
    """Where the last packet of any track ends."""
    end_of_all_s: float = 0.0
    """End of the longest track, streams of every kind, on the file's clock."""

    def times_s(self) -> Float64Array:
        """Return (N,) decoding times, s; a packet without one has its presentation time, or that of the one before."""
        times = np.array(
            [np.nan if (time := pts if dts is None else dts) is None else time for pts, dts in self._stamps()],
            np.float64,
        )
        known = np.maximum.accumulate(np.where(np.isnan(times), 0, np.arange(len(times))))
        return np.nan_to_num(times[known]) * float(self.time_base)

    def _stamps(self) -> "zip[tuple[int | None, int | None]]":
        return zip(self.pts, self.dts, strict=True)


def scan_packets(container: InputContainer, stream: VideoStream) -> PacketScan:
    """Read all packets of an opened file."""
    time_base = exact(stream.time_base) or Fraction(1)
    scan = PacketScan(time_base=time_base, format_names=frozenset(container.format.name.split(",")))
    unit_s = {track.index: float(exact(track.time_base) or 0) for track in container.streams}
    hearing = _Hearing(container, stream, scan)
    holes: list[tuple[Hole, float]] = []
    key_seen = False
    last: Packet[Stream] | None = None
    last_time, last_heard_s, other_bytes = 0, 0.0, 0
    first_byte: int | None = None
    for packet in packets(container):
        index, size, position = packet.stream_index, packet.size, packet.pos
        dts, duration = packet.dts, packet.duration or 0
        start = dts if packet.pts is None else packet.pts
        if start is not None:
            scan.end_of_all_s = max(scan.end_of_all_s, (start + duration) * unit_s.get(index, 0.0))
        if position is not None and size:
            first_byte = position if first_byte is None else min(first_byte, position)
            scan.end_byte = max(scan.end_byte, position + size)
        if index != stream.index or not size:
            hearing.add(packet)
            other_bytes += size
            continue
        # A recording that begins in the middle of a group of pictures (GOP) has its first frame at the key frame.
        key_seen = key_seen or packet.is_keyframe
        if not key_seen or packet.is_discard:  # removed by an edit list
            continue
        time = start if dts is None else dts
        if last is not None and time is not None and (time - last_time) * unit_s[index] > HOLE_S:
            hole = Hole(
                before=len(scan.pts) - 1,
                length_s=(time - last_time) * unit_s[index],
                heard_s=hearing.heard_s - last_heard_s,
                heard_later=False,
                stated_s=(last.duration or 0) * unit_s[index],
                stray_bytes=(position or 0) - (last.pos or 0) - last.size - other_bytes,
                is_corrupt=packet.is_corrupt or last.is_corrupt,
            )
            holes.append((hole, hearing.heard_s))
        scan.pts.append(packet.pts)
        scan.dts.append(dts)
        scan.durations.append(duration)
        scan.positions.append(position)
        last, last_heard_s, other_bytes = packet, hearing.heard_s, 0
        last_time = last_time if time is None else time
    scan.first_byte = first_byte or 0
    scan.holes = [replace(hole, heard_later=hearing.heard_s > heard_s) for hole, heard_s in holes]
    return scan


class _Hearing:
    """The audio that lies between the frames, of the track that belongs to them."""

    def __init__(self, container: InputContainer, video: VideoStream, scan: PacketScan) -> None:
        track = best_audio_stream(container, video)
        self._index = None if track is None else track.index
        self._unit_s = 0.0 if track is None else float(exact(track.time_base) or 0)
        self._scan = scan
        self._last_s: float | None = None
        self._last_byte = 0
        self.heard_s = 0.0
        """Length of all packets so far; of one that states none, the time from the one before."""

    def add(self, packet: "Packet[Stream]") -> None:
        """Add a packet of another track than the video's."""
        start = packet.pts if packet.dts is None else packet.dts
        if packet.stream_index != self._index or start is None or not packet.size:
            return
        start_s = start * self._unit_s
        position = self._last_byte if packet.pos is None else packet.pos
        step_s = 0.0 if self._last_s is None else start_s - self._last_s
        if step_s < -BACK_S or step_s > _LEAP_S:
            self._scan.audio_jumps.append(position)
        duration_s = (packet.duration or 0) * self._unit_s
        self.heard_s += duration_s or min(max(step_s, 0.0), HOLE_S)
        self._last_s, self._last_byte = start_s, position
