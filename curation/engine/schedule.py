"""Which unit comes next, and what its outcome means for the others: the driver's book, without a process or a clock.

On a pool large files come first, so that no long one is left for the end. A video whose windows are all measured is
decided and rendered before anything else is begun: that frees its evidence on disk.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from curation.engine.units import Decided, Divided, Measured, Outcome, Rendered, Unit
from curation.media.probe import VideoInfo
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

__all__ = ["Schedule"]

_ENDING, _WINDOW, _VIDEO = 0, 1, 2
"""What is begun first."""


@dataclass(slots=True)
class _Open:
    """A divided video."""

    windows: tuple[Window, ...]
    info: VideoInfo | None
    missing: int
    """Units that are to be done before it can be decided, or gathered."""
    decided: Decided | None = None


@dataclass(slots=True)
class Schedule:
    """The units of a run."""

    videos: Iterable[SourceVideo]
    largest_first: bool
    """Else in the order given."""
    _heap: list[tuple[int, int, int, Unit]] = field(init=False, default_factory=list)
    _open: dict[str, _Open] = field(init=False, default_factory=dict)
    _ended: set[str] = field(init=False, default_factory=set)
    """Videos that have a record while units of theirs are still planned."""
    _n_planned: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Plan one unit per video."""
        for video in self.videos:
            self._plan(_VIDEO, Unit(video=video))
        self.videos = ()

    def next(self) -> Unit | None:
        """Return the unit to begin now; None where all that is left is in flight."""
        while self._heap:
            _, _, _, unit = heapq.heappop(self._heap)
            if unit.video.video_id not in self._ended:
                return unit
        return None

    def again(self, unit: Unit) -> None:
        """Plan a unit once more that came to nothing, before new videos are begun."""
        self._plan(_WINDOW, unit)

    def done(self, unit: Unit, outcome: Outcome) -> VideoRecord | None:
        """Take note of what became of a unit; return the record of its video where that ends with it.

        None also for a unit of a video that has ended already: a window that was in flight when another one failed.
        """
        video_id = unit.video.video_id
        if video_id in self._ended:
            return None
        match outcome:
            case VideoRecord():
                if self._open.pop(video_id, None) is not None:
                    self._ended.add(video_id)
                return outcome
            case Divided(windows, todo, info):
                self._open[video_id] = _Open(windows, info, len(todo))
                for window in todo:
                    self._plan(_WINDOW, Unit(video=unit.video, kind="window", windows=(window,), info=info))
                self._end_if_due(unit.video)
            case Decided(_, todo):
                known = self._open[video_id]
                known.decided, known.missing = outcome, len(todo)
                for clips in todo:
                    self._plan(_ENDING, Unit(video=unit.video, kind="render", slices=(clips,), info=known.info))
                self._end_if_due(unit.video)
            case Measured() | Rendered():
                self._open[video_id].missing -= 1
                self._end_if_due(unit.video)
        return None

    def _end_if_due(self, video: SourceVideo) -> None:
        """Plan the next step of a video of which nothing else is left to do before."""
        known = self._open[video.video_id]
        if known.missing:
            return
        decided = known.decided
        if decided is None:
            unit = Unit(video=video, kind="decide", windows=known.windows, info=known.info)
        else:
            unit = Unit(
                video=video, kind="gather", windows=known.windows, slices=decided.slices, decided=decided.record
            )
        self._plan(_ENDING, unit)

    def _plan(self, rank: int, unit: Unit) -> None:
        size = -unit.video.size_bytes if self.largest_first else 0
        heapq.heappush(self._heap, (rank, size, self._n_planned, unit))
        self._n_planned += 1
