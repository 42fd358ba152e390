"""Which picture a tick shows: the nearest by PTS, in whole numbers, in one pass over pictures that arrive in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from curation.media.probe import VideoInfo
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Picture", "pair_with_ticks"]

_REACH_INTERVALS = 2
_LONGEST_REACH_S = 2 / TICK_RATE_HZ
"""A good picture stands in for a lost one up to two picture intervals away, at most two ticks: as far as the rules
bridge a missed face."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture that the file holds at `pts`; `frame` is None where nothing trustworthy was decoded."""

    pts: int
    frame: VideoFrame | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPicture:
    """A picture that was decoded."""

    pts: int
    frame: VideoFrame


def pair_with_ticks(
    pictures: Iterator[Picture], info: VideoInfo, first_tick: int, end_tick: int
) -> Iterator[tuple[int, ShownPicture | None]]:
    """Yield (tick, picture) for every tick of [first_tick, end_tick); None where the picture is lost.

    A tick half way between two pictures shows the earlier, as a screen does. Where the nearest picture is lost,
    a good one within `_REACH_INTERVALS` stands in.

    Args:
        pictures: ascending by `pts`; those before the window may be missing.
    """
    reach = min(_REACH_INTERVALS / info.fps, _LONGEST_REACH_S) / info.time_base
    before: ShownPicture | None = None
    after: ShownPicture | None = None
    lost: list[int] = []
    """Between `before` and `after`."""
    for tick in range(first_tick, end_tick):
        time = info.first_pts + tick / TICK_RATE_HZ / info.time_base
        while (after is None or after.pts <= time) and (picture := next(pictures, None)) is not None:
            if picture.frame is None:
                lost.append(picture.pts)
                continue
            if after is not None:
                before = after
                lost = [pts for pts in lost if pts > before.pts]
            after = ShownPicture(pts=picture.pts, frame=picture.frame)
        if after is not None and after.pts <= time:  # the pictures are at their end
            before, after = after, None
            lost = [pts for pts in lost if pts > before.pts]
        good = [shown for shown in (before, after) if shown is not None]
        yield tick, _shown(time, reach, good, lost, info)


def _shown(
    time: Fraction,
    reach: Fraction,
    good: list[ShownPicture],
    lost: list[int],
    info: VideoInfo,
) -> ShownPicture | None:
    near = min(good, key=lambda shown: (abs(shown.pts - time), shown.pts), default=None)
    if near is None:
        return None
    distance = abs(near.pts - time)
    overtaken = time >= info.end_pts or any(abs(pts - time) < distance for pts in lost)
    # damage can swallow packets whole: at a constant rate, a hole in the time stamps tells of them
    swallowed = not info.variable_rate and distance > 1 / (info.fps * info.time_base)
    return None if (overtaken or swallowed) and distance > reach else near
