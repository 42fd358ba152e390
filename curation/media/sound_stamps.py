"""The time stamps of a sound track against the samples that its packets hold: what wobbles or drifts is smoothed.

A recorder may stamp packets with the time at which they arrived, some ms early or late, or take its sound from a clock
that runs slightly fast or slow. The samples of such a track follow each other without a gap all the same. So the times
of its packets are those of a continuous recording whose rate follows the stamps slowly; only where the stamps move for
good, such as at a lost packet, is there a gap or an overlap.
"""

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from av.audio.stream import AudioStream

from foundation.array_types import Float64Array, Int64Array

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["PacketStamps", "StampOffsets", "steady_times"]

_STEP_S = 0.005
"""Least move of the time stamps that is a gap or an overlap; Matroska rounds to 1 ms."""

_STEP_OVER_WOBBLE = 4.0
"""A step is also at least this many times the usual difference between a packet's length and the distance to the next
stamp: uniform wobble differs by at most 3.4 times its median."""

_STEADY_S = 0.002
"""Stamps within this range around a constant clock are taken as they are: twice the rounding of Matroska."""

_OUTLIERS_S = 0.25
"""Packets that are stamped away from both neighbours for less than this are damaged stamps, not a gap."""

_BLOCK_S = 10.0
"""The clock is followed by means over stretches of about this length: they even out wobble, and follow a drift."""

_SHORTEST_BLOCK_S = 1.0

_CHANCE = 4.0
"""Standard errors: a mean is less far off in all but one of ten thousand cases."""

_FIXED_FRAMES = frozenset({"aac", "mp1", "mp2", "mp3", "ac3", "eac3", "amrnb", "amrwb"})
"""Codecs whose packets all hold the same number of samples."""

_OPUS_FRAMES_MS = (10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 10, 20) + (2.5, 5, 10, 20) * 4
"""Length of an Opus frame by the five highest bits of its packet (RFC 6716, table 2)."""


@dataclass(frozen=True, eq=False, slots=True)
class StampOffsets:
    """For a track whose stamps are not steady: what to add to the time stamp of each packet."""

    pts: Int64Array
    """(N,) the packets' time stamps, ascending, units of the track's time base."""
    offset_us: Int64Array
    """(N,) microseconds."""

    def at(self, pts: int, same_before: int) -> int:
        """Return the microseconds for a frame: those of the packet that it came from.

        Args:
            pts: its time stamp.
            same_before: how many frames with the same stamp came directly before it.
        """
        first, end = (int(np.searchsorted(self.pts, pts, side)) for side in ("left", "right"))
        return int(self.offset_us[max(0, min(first + same_before, end - 1))])


class PacketStamps:
    """Collector of the time stamps of one track, as its file is read."""

    def __init__(self, stream: AudioStream) -> None:
        self._tick_s = float(stream.time_base or 0)
        self._rate_hz = stream.rate
        codec = stream.codec_context
        name = re.sub("(float|fixed)$", "", codec.name)
        frame_size = (
            _flac_block(codec.extradata) if name == "flac" else codec.frame_size if name in _FIXED_FRAMES else 0
        )
        self._frame_s = frame_size / self._rate_hz if self._rate_hz else 0.0
        self._vorbis_s = (
            _vorbis_lengths_s(codec.extradata, self._rate_hz) if name == "vorbis" and self._rate_hz else None
        )
        self._is_opus = name in ("opus", "libopus")
        pcm = re.fullmatch(r"pcm_[fsu](\d+)(le|be)?", name)
        self._bytes_per_s = int(pcm[1]) // 8 * codec.channels * self._rate_hz if pcm else 0
        self._pts: list[int] = []
        self._held_s: list[float] = []
        self._end: int | None = None

    def add(self, packet: "Packet[Stream]") -> None:
        """Note the next packet of the track."""
        if not packet.size:
            return
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:  # it goes on from the one before
            if self._pts:
                self._held_s[-1] += self._length_s(packet)
            return
        self._pts.append(pts)
        self._held_s.append(self._length_s(packet))
        if packet.duration and not packet.is_discard:
            self._end = max(pts + packet.duration, pts if self._end is None else self._end)

    @property
    def last(self) -> tuple[int, int] | None:
        """Time stamp of the last packet and its end, units of the time base; None where the file states no length."""
        if not self._pts or self._end is None:
            return None
        last = max(self._pts)
        return (last, self._end) if self._end > last else None

    def offsets(self) -> StampOffsets | None:
        """Return the smoothed times, None where the stamps are steady or no length of packets is known."""
        pts = np.array(self._pts, np.int64)
        if not self._tick_s or len(pts) < 3 or not any(self._held_s):
            return None
        stamped_s = pts.astype(np.float64) * self._tick_s
        times_s = steady_times(stamped_s, self._lengths(stamped_s), 1.5 * self._tick_s)
        if times_s is None:
            return None
        order = np.argsort(pts, kind="stable")
        return StampOffsets(pts[order], np.rint((times_s - stamped_s)[order] * 1e6).astype(np.int64))

    def _length_s(self, packet: "Packet[Stream]") -> float:
        if self._is_opus:
            return _opus_length_s(bytes(packet))
        if self._bytes_per_s:
            return packet.size / self._bytes_per_s
        length_s = packet.duration * self._tick_s if packet.duration else 0.0
        if self._vorbis_s is not None and length_s:
            return min(self._vorbis_s, key=lambda exact_s: abs(exact_s - length_s))
        return length_s

    def _lengths(self, stamped_s: Float64Array) -> Float64Array:
        if not self._frame_s:
            held_s = np.array(self._held_s)
            if self._is_opus or self._bytes_per_s or self._vorbis_s or np.ptp(held_s) > 1.5 * self._tick_s:
                return held_s
            # One length, stated in whole units of the time base: only the stamps tell it exactly.
            far = max(1, len(held_s) // 3)
            return np.full(len(held_s), np.median(stamped_s[far:] - stamped_s[:-far]) / far)
        # a header may count the samples before or after spectral band replication doubles them
        usual_s = float(np.median(np.diff(stamped_s)))
        length_s = min((self._frame_s * times for times in (0.5, 1, 2)), key=lambda length: abs(length - usual_s))
        return np.full(len(stamped_s), length_s)


def _opus_length_s(packet: bytes) -> float:
    """Return the seconds of sound in an Opus packet (RFC 6716, section 3.1 and 3.2)."""
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[packet[0] & 3]
    return frames * _OPUS_FRAMES_MS[packet[0] >> 3] / 1000


def _vorbis_lengths_s(headers: bytes | None, rate_hz: int) -> tuple[float, ...] | None:
    """Return the seconds that a packet may hold: a quarter of its block and of the one before (Vorbis I, 4.2.2, 4.3.8).

    None where the headers cannot be read.
    """
    at = (headers or b"").find(b"\x01vorbis") + 28
    if headers is None or not rate_hz or not 28 <= at < len(headers):
        return None
    short, long = 1 << (headers[at] & 15), 1 << (headers[at] >> 4)
    return tuple((one + other) / 4 / rate_hz for one, other in ((short, short), (short, long), (long, long)))


def _flac_block(stream_info: bytes | None) -> int:
    """Return the samples of each frame by FLAC's stream information (RFC 9639, section 8.2), 0 where they vary."""
    smallest, largest = (stream_info or b"")[:2], (stream_info or b"")[2:4]
    return int.from_bytes(largest) if smallest == largest else 0


def steady_times(stamped_s: Float64Array, length_s: Float64Array, rounding_s: float = 0.0) -> Float64Array | None:
    """Return the times of the packets of a recording whose stamps wobble or drift.

    Args:
        stamped_s: (N,) time stamps, in the order of the packets.
        length_s: (N,) how much sound each packet holds.
        rounding_s: what the file may have rounded a stamp by.

    Returns:
        (N,) seconds; None where the stamps are those of a constant clock but for gaps, and are right as they are.
    """
    counted_s = np.concatenate([[0.0], np.cumsum(length_s[:-1])])
    lag_s = stamped_s - counted_s
    parts = _unbroken(lag_s, length_s, rounding_s)
    if all(np.ptp(lag_s[part]) <= max(_STEADY_S, 2 * rounding_s) for part in parts):
        return None
    return np.concatenate([counted_s[part] + _followed(counted_s[part], lag_s[part]) for part in parts])


def _unbroken(lag_s: Float64Array, length_s: Float64Array, rounding_s: float) -> list[slice]:
    """Divide a track where its stamps move for good; return slices of packets.

    Args:
        lag_s: (N,) time stamps less the sound before them.
        length_s: (N,) how much sound each packet holds.
        rounding_s: what the file may have rounded a stamp by.
    """
    steps_s = np.abs(np.diff(lag_s))
    least_s = max(_STEP_S, 2 * rounding_s, _STEP_OVER_WOBBLE * float(np.median(steps_s)))
    bounds = [0, *(np.flatnonzero(steps_s > least_s) + 1).tolist(), len(lag_s)]
    pieces = [slice(first, end) for first, end in itertools.pairwise(bounds)]
    joined = [pieces[0]]
    level_s = _edge(lag_s[pieces[0]], length_s[pieces[0]], -1)
    for number, piece in enumerate(pieces[1:], start=1):
        begins_s = _edge(lag_s[piece], length_s[piece], 0)
        after = pieces[number + 1] if number + 1 < len(pieces) else None
        outlying = (
            after is not None
            and float(length_s[piece].sum()) < _OUTLIERS_S
            and abs(_edge(lag_s[after], length_s[after], 0) - level_s) <= least_s
        )
        if outlying or abs(begins_s - level_s) <= least_s:
            joined[-1] = slice(joined[-1].start, piece.stop)
        else:
            joined.append(piece)
        if not outlying:
            level_s = _edge(lag_s[piece], length_s[piece], -1)
    return joined


def _level(values: Float64Array) -> float:
    """Return the mean of values, each drawn to within two standard deviations of their median."""
    middle, reach = float(np.median(values)), 2 * _deviation(values - np.median(values))
    return float(np.clip(values, middle - reach, middle + reach).mean())


def _deviation(values: Float64Array) -> float:
    """Return the standard deviation of normally distributed values, by their median magnitude."""
    return 1.4826 * float(np.median(np.abs(values)))


def _edge(lag_s: Float64Array, length_s: Float64Array, side: int) -> float:
    """Return the median over the first second of a piece (`side` 0), or over its last (-1)."""
    n = max(1, round(1.0 / max(float(np.median(length_s)), 1e-3)))
    return float(np.median(lag_s[:n] if side == 0 else lag_s[-n:]))


def _followed(counted_s: Float64Array, lag_s: Float64Array) -> Float64Array:
    """Return the (N,) lag of a continuous recording: constant, or lines through the means of blocks.

    The clock is constant where no block's mean is off the mean of all by more than chance explains.
    """
    middle_s = _level(lag_s)
    span_s = float(counted_s[-1] - counted_s[0])
    n_blocks = min(len(lag_s), max(2, round(span_s / _BLOCK_S))) if span_s > 2 * _SHORTEST_BLOCK_S else 1
    blocks = [block for block in np.array_split(np.arange(len(lag_s)), n_blocks) if len(block)]
    at_s = np.array([counted_s[block].mean() for block in blocks])
    level_s = np.array([_level(lag_s[block]) for block in blocks])
    chance_s = _CHANCE * _deviation(lag_s - np.interp(counted_s, at_s, level_s)) / np.sqrt(len(lag_s) / len(blocks))
    if np.all(np.abs(level_s - middle_s) <= chance_s):
        return np.full(len(lag_s), middle_s)
    slopes = np.diff(level_s) / np.diff(at_s)
    number = np.clip(np.searchsorted(at_s, counted_s) - 1, 0, len(slopes) - 1)
    followed: Float64Array = level_s[number] + slopes[number] * (counted_s - at_s[number])
    return followed
