"""Stretches of tracks: one face on ticks that follow one another, which may be the one that is heard."""

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.array_types import Int64Array
from manifests.timeline import TickRange

__all__ = ["MARGIN_TICKS", "TrackStretch", "united"]

MARGIN_TICKS = 22
"""Ticks beyond a stretch that are measured with it where its track goes on: the largest lag between lips and sound, 15,
and 7 that the network sees to either side. So all ticks within have all of their scores."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TrackStretch:
    """Ticks ``[first_tick, end_tick)`` of one track in one shot; on the first and on the last its face was found."""

    first_tick: int
    end_tick: int
    track_id: int
    face: Int64Array
    """(end_tick - first_tick,) index into `Faces` of its face; -1 where it was missed for a moment."""
    in_company: bool
    """Another face is seen beside it that could be the speaker."""


def united(ranges: Sequence[TickRange]) -> list[TickRange]:
    """Return ranges that do not overlap or touch, in order, of the same ticks.

    >>> united([(8, 9), (0, 3), (2, 5), (5, 6)])
    [(0, 6), (8, 9)]
    """
    apart: list[TickRange] = []
    for first, end in sorted(ranges):
        if apart and first <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((first, end))
    return apart
