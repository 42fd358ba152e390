"""Schedule of units: the next unit, and the units that follow from a result. Without a process or a clock.

On a pool large files come first, so that no long one is left for the end. A video whose windows are all measured is
decided and rendered before anything else is begun: that frees its evidence on disk.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from curation.engine.units import Result, Unit
from curation.output.ledger import VideoRecord

__all__ = ["Schedule"]

_AGAIN = 1
"""Rank of a unit that is tried once more: before new videos, after units that end a video."""


@dataclass(slots=True)
class _OpenVideo:
    """A video of which several units are planned."""

    missing: int
    """Steps that are to be done before the next unit."""
    then: Unit


@dataclass(slots=True)
class Schedule:
    """The units of a run."""

    units: Iterable[Unit]
    """The first unit of each video."""
    largest_first: bool
    """Whether the largest files come first; else they keep the order of `units`."""
    _heap: list[tuple[int, int, int, Unit]] = field(init=False, default_factory=list)
    _open: dict[str, _OpenVideo] = field(init=False, default_factory=dict)
    _ended: set[str] = field(init=False, default_factory=set)
    """Videos that have a record while units of theirs are still planned."""
    _n_planned: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Plan the first unit of each video."""
        for unit in self.units:
            self._plan(unit.rank, unit)
        self.units = ()

    def next(self) -> Unit | None:
        """Return the next unit; None where all remaining ones are in flight."""
        while self._heap:
            _, _, _, unit = heapq.heappop(self._heap)
            if unit.video.video_id not in self._ended:
                return unit
        return None

    def again(self, unit: Unit) -> None:
        """Plan a unit again after the loss of its worker, before new videos are begun."""
        self._plan(_AGAIN, unit)

    def done(self, video_id: str, result: Result) -> VideoRecord | None:
        """Plan the units that follow from a result; return the record of the video where the unit ends it.

        None also for a unit of a video that has ended already: a window that was in flight when another one failed.

        Args:
            video_id: the video of the unit.
            result: of the unit.
        """
        if video_id in self._ended:
            return None
        if result.record is not None:
            if self._open.pop(video_id, None) is not None:
                self._ended.add(video_id)
            return result.record
        if result.then is not None:
            self._open[video_id] = _OpenVideo(len(result.steps), result.then)
            for step in result.steps:
                self._plan(step.rank, step)
        else:
            self._open[video_id].missing -= 1
        if not self._open[video_id].missing:
            following = self._open[video_id].then
            self._plan(following.rank, following)
        return None

    def _plan(self, rank: int, unit: Unit) -> None:
        size = -unit.video.size_bytes if self.largest_first else 0
        heapq.heappush(self._heap, (rank, size, self._n_planned, unit))
        self._n_planned += 1
