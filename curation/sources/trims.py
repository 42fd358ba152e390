"""Stretches of a video that are to be curated, where not all of it is.

A stretch is given in seconds or in frames of the file, before the file is opened; it becomes ticks when the file is
probed. Ticks outside are neither decoded nor measured, and become spans of outcome `trimmed`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from manifests.timeline import TICK_RATE_HZ, TickRange

__all__ = ["Trim", "overlap", "requested_s", "requested_ticks", "united"]

_ROUNDED_S = 1
"""A stretch may end this long after the video: annotations count whole seconds. It is cut at the end then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trim:
    """Stretch ``[start, end)`` of a video, counted from its first frame."""

    start: float = 0.0
    end: float | None = None
    """None: to the end of the video."""
    unit: Literal["s", "pictures"] = "s"
    """Of both: seconds, or numbers of the file's frames from 0, which are taken to have its average rate."""

    def __str__(self) -> str:
        """Return the stretch as text for people.

        >>> str(Trim(start=2.5, end=10.0)), str(Trim(start=300, unit="pictures"))
        ('2.5 to 10 s', '300 pictures to the end')
        """
        if self.end is None:
            return f"{self.start:g} {self.unit} to the end"
        return f"{self.start:g} to {self.end:g} {self.unit}"


def requested_ticks(trims: Sequence[Trim], info: VideoInfo) -> tuple[TickRange, ...]:
    """Return the ticks whose time lies in a stretch, as half-open ranges in order; without stretches, all.

    Raises:
        MediaError: `trim_outside` where a stretch begins after the end of the video, or ends more than a second after
            it, or lies between two ticks.
    """
    if not trims:
        return ((0, info.n_ticks),)
    found: list[TickRange] = []
    for trim in trims:
        second = Fraction(1) if trim.unit == "s" else info.fps
        start_s = _exact(trim.start) / second
        end_s = info.n_ticks / TICK_RATE_HZ if trim.end is None else _exact(trim.end) / second
        first, end = math.ceil(start_s * TICK_RATE_HZ), min(info.n_ticks, math.ceil(end_s * TICK_RATE_HZ))
        if first >= info.n_ticks or end_s > info.n_ticks / TICK_RATE_HZ + _ROUNDED_S:
            raise MediaError(
                "trim_outside",
                f"{info.path}: the stretch {trim} is asked for, and the video ends at "
                f"{float(info.n_ticks / TICK_RATE_HZ):g} s; correct the list, or replace the file by the whole one",
            )
        if first >= end:
            raise MediaError("trim_outside", f"{info.path}: the stretch {trim} lies between two ticks of 0.04 s")
        found.append((first, end))
    return tuple(_joined(found))


def requested_s(trims: Sequence[Trim], duration_s: float, fps: float) -> float:
    """Return the length of a video that is to be curated, seconds.

    >>> requested_s([Trim(start=1.0, end=3.0), Trim(start=300, unit="pictures")], 20.0, 25.0)
    10.0
    """
    if not trims:
        return duration_s
    second = {"s": 1.0, "pictures": fps}
    ends = (min(duration_s, duration_s if trim.end is None else trim.end / second[trim.unit]) for trim in trims)
    return sum(max(0.0, end - trim.start / second[trim.unit]) for trim, end in zip(trims, ends, strict=True))


def overlap(trims: Sequence[Trim]) -> tuple[Trim, Trim] | None:
    """Return two stretches of one unit that share time; None where none do.

    >>> overlap([Trim(start=5.0), Trim(start=0.0, end=6.0)])
    (Trim(start=0.0, end=6.0, unit='s'), Trim(start=5.0, end=None, unit='s'))
    >>> overlap([Trim(start=5.0, end=6.0), Trim(start=0.0, end=5.0)])
    """
    ordered = sorted(trims, key=lambda trim: trim.start)
    for one, other in pairwise(ordered):
        if one.end is None or other.start < one.end:
            return one, other
    return None


def united(trims: Iterable[Trim]) -> tuple[Trim, ...]:
    """Return stretches of one unit, in order, overlapping ones merged.

    >>> united([Trim(start=30.0, end=50.0), Trim(start=2.0, end=9.0), Trim(start=40.0, end=60.0)])
    (Trim(start=2.0, end=9.0, unit='s'), Trim(start=30.0, end=60.0, unit='s'))
    """
    joined: list[Trim] = []
    for trim in sorted(trims, key=lambda trim: trim.start):
        last = joined[-1] if joined else None
        if last is None or (last.end is not None and trim.start > last.end):
            joined.append(trim)
        elif last.end is not None:
            end = None if trim.end is None else max(last.end, trim.end)
            joined[-1] = Trim(start=last.start, end=end, unit=last.unit)
    return tuple(joined)


def _exact(value: float) -> Fraction:
    """Return the decimal number that a list or an annotation states: 0.28 s is tick 7, not a little more."""
    return Fraction(value).limit_denominator(1_000_000)


def _joined(stretches: Iterable[TickRange]) -> list[TickRange]:
    """Return the stretches in order, those that touch as one."""
    joined: list[TickRange] = []
    for first, end in sorted(stretches):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined
