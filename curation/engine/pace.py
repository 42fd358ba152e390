"""Pace of a run: remaining video and remaining time, in seconds. The caller provides the clock.

Counts of videos would mislead, because one is hours long and the next seconds. The length that is left is known exactly
for videos in windows; for the others it is estimated from the size of the file and the files that are done.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from curation.engine.events import UnitEvent
from curation.engine.units import Unit
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Flight", "Pace"]


@dataclass(frozen=True, slots=True)
class Flight:
    """A unit that a worker is running."""

    unit: Unit
    begun_s: float
    """Time of its beginning, on the clock of the caller."""


@dataclass(slots=True)
class Pace:
    """Sums of the video that is left and of the work that is done."""

    videos: Iterable[SourceVideo]
    flights: dict[str, Flight] = field(init=False, default_factory=dict)
    """Units in flight by the name of the worker."""
    done_s: float = field(init=False, default=0.0)
    """Length of the video that is measured, seconds."""
    _worked_s: float = field(init=False, default=0.0)
    """Time that workers spent on units, seconds."""
    _left_s: float = field(init=False, default=0.0)
    """Length of the video that is left, where it is known, seconds."""
    _left_bytes: int = field(init=False, default=0)
    """Size of the files that are left and whose length is not known."""
    _open_s: dict[str, float] = field(init=False, default_factory=dict)
    """Length that is left of each divided video, by its id, seconds."""
    _sized_s: float = field(init=False, default=0.0)
    _sized_bytes: int = field(init=False, default=0)
    """Length and size of the files that are done: together, seconds per byte."""

    def __post_init__(self) -> None:
        """Sum the sizes of all files."""
        self._left_bytes = sum(video.size_bytes for video in self.videos)
        self.videos = ()

    def tell(self, event: UnitEvent, now_s: float) -> None:
        """Receive an event of a unit."""
        if event.kind == "begin":
            self.flights[event.worker] = Flight(event.unit, now_s)
            return
        if event.kind not in ("end", "loss"):
            return
        self.flights.pop(event.worker, None)
        self._worked_s += event.seconds or 0.0
        result, video = event.result, event.unit.video
        if result is None:
            return
        if result.length_s is not None:
            self._size(video.size_bytes, result.length_s)
            self._open_s[video.video_id] = result.left_s
            self._left_s += result.left_s
        elif result.measured_s and video.video_id in self._open_s:
            self._open_s[video.video_id] -= result.measured_s
            self._left_s -= result.measured_s
            self.done_s += result.measured_s

    def advance(self, record: VideoRecord) -> None:
        """Receive the record of a finished video."""
        if record.video_id in self._open_s:
            self._left_s -= self._open_s.pop(record.video_id)
            return
        self._size(record.size_bytes, record.requested_s)
        self.done_s += record.requested_s

    def left_s(self, now_s: float) -> float | None:
        """Return the seconds until all is done, with as many busy workers as now; None while that is not known.

        This is the remaining video, less the likely progress of the units in flight, over the speed of a busy worker.
        """
        left = self.video_left_s()
        if left is None or not self.done_s or not self._worked_s:
            return None
        speed = self.done_s / self._worked_s
        for flight in self.flights.values():
            left -= min(self._length_s(flight.unit), (now_s - flight.begun_s) * speed)
        return max(0.0, left) / (speed * max(1, len(self.flights)))

    def video_left_s(self) -> float | None:
        """Return the length of the remaining video, seconds; None before the first file is done."""
        if self._left_bytes and not self._sized_bytes:
            return None
        return max(0.0, self._left_s + self._likely_s(self._left_bytes))

    def _length_s(self, unit: Unit) -> float:
        """Return the length of video that a unit measures, seconds."""
        if not unit.measures:
            return 0.0
        n_ticks = unit.n_ticks
        return self._likely_s(unit.video.size_bytes) if n_ticks is None else float(n_ticks / TICK_RATE_HZ)

    def _likely_s(self, size_bytes: int) -> float:
        """Return the likely length of files of a size, seconds; 0 before the first file is done."""
        return size_bytes * self._sized_s / self._sized_bytes if self._sized_bytes else 0.0

    def _size(self, size_bytes: int, duration_s: float) -> None:
        """Record the length of a file."""
        self._left_bytes -= size_bytes
        self._sized_bytes += size_bytes
        self._sized_s += duration_s
