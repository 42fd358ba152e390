"""How much of a run is left, in seconds of video, and how long that will take at the pace so far. No clock in here.

Counts of videos would mislead, for one is hours long and the next seconds. What is left is known exactly of videos in
windows, and taken from the size of the file elsewhere, by the seconds a byte of the files that are done.
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
    """A unit that a worker is at."""

    unit: Unit
    begun_s: float
    """On the clock of whoever watches."""


@dataclass(slots=True)
class Pace:
    """Adds up what is left, and what the workers have done."""

    videos: Iterable[SourceVideo]
    flights: dict[str, Flight] = field(init=False, default_factory=dict)
    """By the name of the worker."""
    done_s: float = field(init=False, default=0.0)
    """Video that is measured, seconds."""
    _worked_s: float = field(init=False, default=0.0)
    """Time that workers spent on units, seconds."""
    _left_s: float = field(init=False, default=0.0)
    """Video whose length is known and that is left."""
    _left_bytes: int = field(init=False, default=0)
    """Files whose length is not known, and that are left."""
    _open_s: dict[str, float] = field(init=False, default_factory=dict)
    """By the id of a divided video, what is left of it."""
    _sized_s: float = field(init=False, default=0.0)
    _sized_bytes: int = field(init=False, default=0)
    """Length and size of the files that are done: what a byte is worth."""

    def __post_init__(self) -> None:
        """Add up what there is to do."""
        self._left_bytes = sum(video.size_bytes for video in self.videos)
        self.videos = ()

    def tell(self, event: UnitEvent, now_s: float) -> None:
        """Take note of what happened to a unit."""
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
        """Take note of a video that is done."""
        if record.video_id in self._open_s:
            self._left_s -= self._open_s.pop(record.video_id)
            return
        self._size(record.size_bytes, record.asked_s)
        self.done_s += record.asked_s

    def left_s(self, now_s: float) -> float | None:
        """Return in how many seconds all will be done, workers as busy as now; None while that cannot be told.

        Video that is left, less what the units in flight will have done by now, over what a busy worker does a second.
        """
        left = self.video_left_s()
        if left is None or not self.done_s or not self._worked_s:
            return None
        speed = self.done_s / self._worked_s
        for flight in self.flights.values():
            left -= min(self._length_s(flight.unit), (now_s - flight.begun_s) * speed)
        return max(0.0, left) / (speed * max(1, len(self.flights)))

    def video_left_s(self) -> float | None:
        """Return how much video is left, seconds; None while no file has told what its bytes are worth."""
        if self._left_bytes and not self._sized_bytes:
            return None
        return max(0.0, self._left_s + self._worth_s(self._left_bytes))

    def _length_s(self, unit: Unit) -> float:
        """Return how much of the video that is left a unit measures."""
        if not unit.measures:
            return 0.0
        n_ticks = unit.n_ticks
        return self._worth_s(unit.video.size_bytes) if n_ticks is None else float(n_ticks / TICK_RATE_HZ)

    def _worth_s(self, size_bytes: int) -> float:
        """Return how much video files of a size hold, as far as is known."""
        return size_bytes * self._sized_s / self._sized_bytes if self._sized_bytes else 0.0

    def _size(self, size_bytes: int, duration_s: float) -> None:
        """Take note that the length of a file is known now."""
        self._left_bytes -= size_bytes
        self._sized_bytes += size_bytes
        self._sized_s += duration_s
