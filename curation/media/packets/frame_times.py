"""The times of a file's frames, by the packets that were read of it."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from curation.media.errors import MediaError
from curation.media.packets.clocks import Clocks
from curation.media.packets.scan import HOLE_S, PacketScan
from foundation.array_types import BoolArray, Float64Array, Int64Array

__all__ = ["FASTEST_FPS", "LONGEST_LAST_S", "LONGEST_S", "SLOWEST_FPS", "FrameTimes", "Stamps", "frame_times"]

Stamps = Literal["pts", "dts", "none"]
"""Origin of the times of a file's frames.

`pts`: their own stamps. `dts`: AVI stores decoding times only; a frame's time is that of the packet at which the
decoder gives it out, less a delay that is constant in a file. `none`: a raw stream, or stamps that cannot be times;
frames are counted at the stated rate, and a window is decoded from the start of the file.
"""


LONGEST_S = 24 * 3600
"""No video is longer: a header that claims more is damaged."""

LONGEST_LAST_S = 60
"""The last frame lasts longer only where audio is heard meanwhile."""

SLOWEST_FPS, FASTEST_FPS = Fraction(1, 60), 1000
"""A header that states a rate beyond these is damaged."""

_FARTHEST_S = 10
"""A frame is shown at most this far from when it is decoded; further off, its time stamp is damaged."""

_FEWEST_AT_ONCE = 3
"""Two pictures may follow each other within a millisecond; more do so only by a damaged unit of time."""

_MOST_AT_ONCE = 4
"""Holes that cover one time, because the clock goes back a little between them."""

_MOST_REORDERED = 32
"""Frames by which the order of decoding differs at most from that of showing; H.264 and HEVC allow 16."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The frames that follow one clock."""

    pts: Int64Array
    """(N,) their times, ascending; the numbers 0 to N - 1 where the stream has none."""
    stamps: Stamps
    last_duration: int
    """Duration of the last frame, 0 where unknown."""
    end_of_all_s: float
    """End of the longest track, streams of every kind, on the file's clock."""
    held_frames: tuple[tuple[int, int], ...] = ()
    """As in `VideoInfo`, and so are the next two."""
    damaged_stamps: frozenset[int] = frozenset()
    has_earlier: bool = False


def frame_times(path: Path, scan: PacketScan, clocks: Clocks) -> list[FrameTimes]:
    """Return the frames by the clock that they follow.

    Raises:
        MediaError: `unreadable` where a clock begins anew and the file cannot be divided there.
    """
    ways: list[tuple[Stamps, list[int | None]]] = [("pts", scan.pts), ("dts", scan.dts)]
    if "avi" in scan.format_names:  # no presentation times; FFmpeg's guess is wrong with B-frames
        ways = ways[1:]
    for stamps, stored in ways:
        if None not in stored and _are_times(times := np.array(stored, np.int64), scan):
            sound = _is_near(times.astype(np.float64) * float(scan.time_base), scan.times_s())
            runs = [run[sound[run]] for run in clocks.runs]
            found = [_of_run(run, times, stamps, scan) for run in runs if len(run)]
            damaged = frozenset(np.setdiff1d(times, np.concatenate([one.pts for one in found])).tolist())
            _require_one_clock(path, found, scan.time_base)
            return [replace(one, damaged_stamps=damaged, has_earlier=k > 0) for k, one in enumerate(found)]
    n_frames = len(scan.pts)
    return [FrameTimes(np.arange(n_frames, dtype=np.int64), "none", 1, scan.end_of_all_s)]


def _are_times(stamps: Int64Array, scan: PacketScan) -> bool:
    """Return whether (N,) stamps can be times, given what the header says of their unit.

    A header whose unit is longer than the longest distance of two pictures, such as that of an AVI file which claims
    1,000 s a picture, or by whose unit the pictures of the whole file are all shown at once, is damaged.
    """
    span_s = (int(stamps.max()) - int(stamps.min())) * scan.time_base if len(stamps) else Fraction(0)
    at_once = len(stamps) >= _FEWEST_AT_ONCE and span_s * FASTEST_FPS < len(stamps) - 1
    return scan.time_base * SLOWEST_FPS <= 1 and not at_once


def _is_near(times_s: Float64Array, decoded_s: Float64Array) -> BoolArray:
    """Return (N,) whether each frame is shown near to when it, or one of its neighbours, is decoded.

    Where most frames are far from it by one distance, as one damaged number in a table makes it, they are near. Where
    none is near, the times of decoding say nothing, and all count.
    """
    distance_s = float(np.median(times_s - decoded_s)) if len(times_s) else 0.0
    if abs(distance_s) > _FARTHEST_S:
        decoded_s = decoded_s + distance_s
    near: BoolArray = np.abs(times_s - decoded_s) <= _FARTHEST_S
    for number in np.flatnonzero(~near):
        around = decoded_s[max(0, number - _MOST_REORDERED) : number + _MOST_REORDERED + 1]
        near[number] = np.min(np.abs(around - times_s[number])) <= _FARTHEST_S
    return near if near.any() else ~near


def _require_one_clock(path: Path, found: list[FrameTimes], time_base: Fraction) -> None:
    for before, after in pairwise(found):
        if after.pts[0] <= before.pts[-1]:
            back_s = float(int(before.pts[-1] - after.pts[0]) * time_base)
            raise MediaError(
                "unreadable",
                f"{path} holds several recordings: its clock goes back by {back_s:.1f} s at a place where the file "
                "cannot be divided; give each recording a file of its own",
            )
    # integers of Python, because damaged stamps are further apart than 64 bits can tell
    longest_s = max(float((int(one.pts[-1]) - int(one.pts[0])) * time_base) for one in found)
    if longest_s > LONGEST_S:
        raise MediaError(
            "unreadable",
            f"{path} has time stamps over {longest_s / 3600:.0f} hours, and at most {LONGEST_S // 3600} are read; "
            "divide it, or mend its time stamps",
        )


def _of_run(run: Int64Array, times: Int64Array, stamps: Stamps, scan: PacketScan) -> FrameTimes:
    pts = np.unique(times[run])
    last, last_duration = int(pts[-1]), scan.durations[int(run[np.argmax(times[run])])]
    unit_s = float(scan.time_base)
    if last_duration * unit_s > LONGEST_LAST_S and not scan.is_heard(last * unit_s, (last + last_duration) * unit_s):
        last_duration = 0
    held = _held_frames(pts, set(run.tolist()), scan) if len(scan.holes) else ()
    if last_duration * unit_s > HOLE_S:
        held = (*held, (last, last + last_duration))
    return FrameTimes(pts, stamps, last_duration, scan.end_of_all_s, held)


def _held_frames(pts: Int64Array, run: set[int], scan: PacketScan) -> tuple[tuple[int, int], ...]:
    """Return the neighbouring stamps between which no frame is missing, by the holes in the order of decoding."""
    unit_s = float(scan.time_base)
    held = sorted(
        (hole.start_s, hole.end_s)
        for hole in scan.holes
        if {hole.before, hole.before + 1} <= run and scan.is_held(hole)
    )
    starts_s = np.array([start_s for start_s, _ in held])
    wide = np.flatnonzero(np.diff(pts) * unit_s > HOLE_S)
    pairs = [(int(pts[k]), int(pts[k + 1])) for k in wide]

    def is_held(first: int, end: int) -> bool:
        # Frames are decoded a little earlier than shown, and not in the same order. What covers most covers the middle.
        last = int(np.searchsorted(starts_s, (first + end) / 2 * unit_s, "right"))
        return any(
            min(end * unit_s, stop_s) - max(first * unit_s, start_s) > (end - first) * unit_s / 2
            for start_s, stop_s in held[max(0, last - _MOST_AT_ONCE) : last]
        )

    return tuple((first, end) for first, end in pairs if is_held(first, end))
