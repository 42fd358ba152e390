"""One reading of all packets of a file: the times of its frames, and the holes between them. Nothing is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from curation.media.container import audio_streams_of, best_audio_stream, exact, packets
from curation.media.sound_track import SoundScan, SoundTracks
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
    start_s: float
    """Time of that frame on the file's clock."""
    end_s: float
    is_stated: bool
    """Whether the file states that the frame before it lasts so long."""
    has_traces: bool
    """Whether something in the file may be what is left of frames: a damaged packet, bytes of no packet."""


@dataclass(slots=True)
class PacketScan:
    """The packets of the video track in the order of the file, and what the other tracks tell of it."""

    time_base: Fraction
    format_names: frozenset[str]
    stream_ids: frozenset[int]
    """Identifiers of the video track and of the audio tracks that belong to it, in the format's own terms."""
    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    """0 where unknown."""
    positions: list[int | None] = field(default_factory=list)
    """Byte at which a packet begins, where the demuxer tells it."""
    holes: list[Hole] = field(default_factory=list)
    audio_s: list[tuple[float, float]] = field(default_factory=list)
    """Stretches of the file's clock, s, in which there is audio of the track that belongs to the frames."""
    audio_jumps: list[int] = field(default_factory=list)
    """Bytes at which an audio packet begins whose time does not follow the one before."""
    first_byte: int = 0
    """Where the first packet of any track begins."""
    end_byte: int = 0
    """Where the last packet of these tracks ends."""
    end_of_all_s: float = 0.0
    """End of the longest track, streams of every kind, on the file's clock."""
    sound: SoundTracks | None = None
    """The audio tracks that belong to the frames; None where there are none."""
    _heard: "_Heard | None" = field(init=False, default=None)

    def times_s(self) -> Float64Array:
        """Return (N,) decoding times, s; a packet without one has that of the one before."""
        stamps = self.pts if all(dts is None for dts in self.dts) else self.dts
        times = np.array([np.nan if stamp is None else stamp for stamp in stamps], np.float64)
        known = np.flatnonzero(~np.isnan(times))
        if not len(known):
            return np.zeros(len(times))
        before = np.searchsorted(known, np.arange(len(times)), "right") - 1
        filled: Float64Array = times[known[np.maximum(before, 0)]] * float(self.time_base)
        return filled

    def is_heard(self, start_s: float, end_s: float) -> bool:
        """Return whether audio fills a time on the file's clock, given all of `audio_s`."""
        heard = self._all_heard()
        return heard.until(end_s) - heard.until(start_s) >= _FILLED * (end_s - start_s)

    def is_held(self, hole: Hole) -> bool:
        """Return whether the frame before a hole stays visible, so that none is missing.

        Damage that removes frames removes the audio between them, too, or leaves traces.
        """
        if hole.is_stated or self.is_heard(hole.start_s, hole.end_s):
            return True
        return not hole.has_traces and self._all_heard().end_s <= hole.end_s + HOLE_S

    def _all_heard(self) -> "_Heard":
        if self._heard is None:
            self._heard = _Heard(self.audio_s)
        return self._heard


class _Heard:
    """How much audio there is up to a time; it goes through no stretches, for there may be as many as holes."""

    def __init__(self, stretches_s: Sequence[tuple[float, float]]) -> None:
        starts_s = np.sort(np.array([start for start, _ in stretches_s], np.float64))
        ends_s = np.sort(np.array([max(start, end) for start, end in stretches_s], np.float64))
        self._times_s = (starts_s, ends_s)
        self._sums_s = tuple(np.concatenate([[0.0], np.cumsum(times_s)]) for times_s in self._times_s)
        self.end_s = float(ends_s[-1]) if len(ends_s) else -np.inf
        """End of the last stretch."""

    def until(self, time_s: float) -> float:
        """Return the seconds of all stretches together up to a time."""
        # what has begun since its beginning, less what has ended since its end
        counts = [int(np.searchsorted(times_s, time_s)) for times_s in self._times_s]
        begun_s, ended_s = (n * time_s - float(sums_s[n]) for n, sums_s in zip(counts, self._sums_s, strict=True))
        return begun_s - ended_s


def scan_packets(container: InputContainer, stream: VideoStream) -> PacketScan:
    """Read all packets of an opened file."""
    tracks = audio_streams_of(container, stream)
    own: list[Stream] = [stream, *tracks]
    scan = PacketScan(
        time_base=exact(stream.time_base) or Fraction(1),
        format_names=frozenset(container.format.name.split(",")),
        stream_ids=frozenset(track.id for track in own),
    )
    own_indices = {track.index for track in own}
    unit_s = {track.index: float(exact(track.time_base) or 0) for track in container.streams}
    audio = _Audio(container, stream, scan)
    sound = SoundScan(container, tracks)
    frames = _Frames(scan)
    first_byte: int | None = None
    for packet in packets(container):
        size, position = packet.size, packet.pos
        start = packet.dts if packet.pts is None else packet.pts
        if start is not None:
            end_s = (start + (packet.duration or 0)) * unit_s.get(packet.stream_index, 0.0)
            scan.end_of_all_s = max(scan.end_of_all_s, end_s)
        if position is not None and size:
            first_byte = position if first_byte is None else min(first_byte, position)
            if packet.stream_index in own_indices:
                scan.end_byte = max(scan.end_byte, position + size)
        if packet.stream_index == stream.index and size:
            frames.add(packet)
        else:
            frames.n_other_bytes += size
            audio.add(packet)
            sound.add(packet)
    audio.finish()
    scan.sound = sound.tracks()
    scan.first_byte = first_byte or 0
    return scan


class _Frames:
    """The packets of the video track."""

    def __init__(self, scan: PacketScan) -> None:
        self._scan = scan
        self._unit_s = float(scan.time_base)
        self._key_seen = False
        self._last: Packet[Stream] | None = None
        self._last_time = 0
        self.n_other_bytes = 0
        """Size of the packets of other tracks since the last one."""

    def add(self, packet: "Packet[Stream]") -> None:
        # A recording that begins in the middle of a group of pictures (GOP) has its first frame at the key frame.
        self._key_seen = self._key_seen or packet.is_keyframe
        if not self._key_seen or packet.is_discard:  # removed by an edit list
            return
        scan = self._scan
        time = packet.pts if packet.dts is None else packet.dts
        if time is not None:
            if self._last is not None and (time - self._last_time) * self._unit_s > HOLE_S:
                scan.holes.append(self._hole(self._last, packet, time))
            self._last_time = time
        scan.pts.append(packet.pts)
        scan.dts.append(packet.dts)
        scan.durations.append(packet.duration or 0)
        scan.positions.append(packet.pos)
        self._last, self.n_other_bytes = packet, 0

    def _hole(self, before: "Packet[Stream]", after: "Packet[Stream]", time: int) -> Hole:
        stray_bytes = (after.pos or 0) - (before.pos or 0) - before.size - self.n_other_bytes
        # A transport stream counts its packets, and fills itself up with tables and empty packets.
        gap = stray_bytes > _MOST_STRAY_BYTES and "mpegts" not in self._scan.format_names
        return Hole(
            before=len(self._scan.pts) - 1,
            start_s=self._last_time * self._unit_s,
            end_s=time * self._unit_s,
            is_stated=(before.duration or 0) >= _FILLED * (time - self._last_time),
            has_traces=gap or before.is_corrupt or after.is_corrupt,
        )


class _Audio:
    """The packets of the audio track that belongs to the frames."""

    def __init__(self, container: InputContainer, video: VideoStream, scan: PacketScan) -> None:
        track = best_audio_stream(container, video)
        self._index = None if track is None else track.index
        self._unit_s = 0.0 if track is None else float(exact(track.time_base) or 0)
        self._scan = scan
        self._start_s: float | None = None
        self._last_s = self._end_s = 0.0
        self._position = 0

    def add(self, packet: "Packet[Stream]") -> None:
        """Add a packet of any other track than the video's."""
        time = packet.pts if packet.dts is None else packet.dts
        if packet.stream_index != self._index or time is None or not packet.size:
            return
        if packet.pos is not None:
            self._position = packet.pos
        time_s = time * self._unit_s
        step_s = time_s - self._last_s
        if self._start_s is not None and (step_s < -BACK_S or step_s > HOLE_S):
            self.finish()
            if step_s < -BACK_S or step_s > _LEAP_S:
                self._scan.audio_jumps.append(self._position)
        if self._start_s is None:
            self._start_s = time_s
        # a header can claim any length for the sound of a packet; a longer one would hide holes between frames
        length_s = min((packet.duration or 0) * self._unit_s, _LEAP_S)
        self._last_s, self._end_s = time_s, time_s + length_s

    def finish(self) -> None:
        """End the present stretch of audio."""
        if self._start_s is not None:
            self._scan.audio_s.append((self._start_s, self._end_s))
        self._start_s = None
