"""Pairing of ticks with the nearest frame by PTS, in whole numbers, in one pass over frames that arrive in order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curation.media.convert import LazyImage
from curation.media.packets.scan import HOLE_S
from curation.media.probe import VideoInfo
from manifests.timeline import TICK_RATE_HZ

__all__ = ["StoredFrame", "pair_with_ticks"]

_REACH_INTERVALS = 2

_LONGEST_REACH_S = 2 / TICK_RATE_HZ
"""A good frame stands in for a lost one up to two frame intervals away, at most two ticks: as far as the rules
bridge a missed face."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFrame:
    """A frame that the file holds at `pts`; `frame`, which makes its image, is None where it cannot be trusted."""

    pts: int
    frame: Callable[[], LazyImage] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedFrame:
    """A frame that was decoded."""

    pts: int
    frame: Callable[[], LazyImage]


class _Clock:
    """The times of ticks and frames as integers. Fractions would be exact as well, but take 0.3 ms a tick."""

    def __init__(self, info: VideoInfo) -> None:
        self._held_frames = None if info.variable_rate else frozenset(info.held_frames)
        per_tick = 1 / (TICK_RATE_HZ * info.time_base)
        self.subunits = per_tick.denominator
        """Subdivisions of a unit of `info.time_base` in which times are counted, so that every tick is an integer."""
        self._per_tick = per_tick.numerator
        self.half_tick = self._per_tick // 2
        self._end_pts = info.end_pts
        self._hole = int(HOLE_S / info.time_base)
        self._first = info.first_pts * self.subunits
        self.end = info.end_pts * self.subunits
        reach = min(_REACH_INTERVALS / info.fps, _LONGEST_REACH_S) / info.time_base
        # a whole number is above a fraction where it is above its whole part
        self.reach = int(reach * self.subunits)
        self.interval = int(self.subunits / (info.fps * info.time_base))

    def tick(self, tick: int) -> int:
        return self._first + tick * self._per_tick

    def frame(self, pts: int) -> int:
        return pts * self.subunits

    def is_held(self, pts: int, after: int | None) -> bool:
        """Return whether a frame lasts for more than a second up to the next, None for the end of the last frame."""
        until = self._end_pts if after is None else after
        return until - pts > self._hole and (self._held_frames is None or (pts, until) in self._held_frames)


def pair_with_ticks(
    frames: Iterator[StoredFrame], info: VideoInfo, first_tick: int, end_tick: int
) -> Iterator[tuple[int, DecodedFrame | None]]:
    """Yield (tick, frame) for every tick of [first_tick, end_tick); None where the frame is lost.

    A tick half way between two frames gets the earlier one, as on a screen. A frame that is held for more than a
    second is shown up to the next one. Where the nearest frame is lost, a good one within `_REACH_INTERVALS` stands in.

    Args:
        frames: ascending by `pts`; those before the window may be missing.
    """
    clock = _Clock(info)
    before: DecodedFrame | None = None
    after: DecodedFrame | None = None
    lost: list[int] = []
    """Between `before` and `after`."""
    for tick in range(first_tick, end_tick):
        time = clock.tick(tick)
        while (after is None or clock.frame(after.pts) <= time) and (stored := next(frames, None)) is not None:
            if stored.frame is None:
                lost.append(stored.pts)
                continue
            if after is not None:
                before = after
                lost = [pts for pts in lost if pts > before.pts]
            after = DecodedFrame(pts=stored.pts, frame=stored.frame)
        if after is not None and clock.frame(after.pts) <= time:  # the frames are at their end
            before, after = after, None
            lost = [pts for pts in lost if pts > before.pts]
        good = [shown for shown in (before, after) if shown is not None]
        yield tick, _shown(time, clock, good, lost, info)


def _shown(time: int, clock: _Clock, good: list[DecodedFrame], lost: list[int], info: VideoInfo) -> DecodedFrame | None:
    if good and not lost and clock.frame(good[0].pts) <= time < clock.end:
        before, after = good[0], good[1] if len(good) > 1 else None
        if clock.is_held(before.pts, None if after is None else after.pts):
            return before if after is None or clock.frame(after.pts) - time > clock.half_tick else after
    near = min(good, key=lambda shown: (abs(clock.frame(shown.pts) - time), shown.pts), default=None)
    if near is None:
        return None
    distance = abs(clock.frame(near.pts) - time)
    overtaken = time >= clock.end or any(abs(clock.frame(pts) - time) < distance for pts in lost)
    # damage can remove complete packets: at a constant rate, a gap in the time stamps shows it
    swallowed = not info.variable_rate and distance > clock.interval
    return None if (overtaken or swallowed) and distance > clock.reach else near
