"""Decoded pictures that wait until it is certain whether the faces on their ticks have to be measured."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from curation.analysis.face_collector import FaceCollector
from curation.evidence.measures import GRID_TICKS
from curation.media.convert import LazyImage
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import BoolArray, Float32Array
from manifests.landmarks import key_points

__all__ = ["EveryTick", "TickChoice", "WaitingTicks"]

_MOST_BYTES = 512 << 20
"""Pictures that may wait, bytes as decoded. Beyond it the oldest tick is measured, needed or not: 41 pictures of 3840
by 2160 pixels fit, and of 1920 by 1080 pixels all that ever wait."""


class TickChoice(Protocol):
    """Chooses the ticks of a range that are measured, as the grid ticks come in."""

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Take notice of the faces on a grid tick.

        Args:
            row: of the range, later than those before.
            box_px: (F, 4) boxes, the widest first.
            score: (F,) confidences of the detector.
            key_points_px: (F, 9, 2) points.
        """
        ...

    def certain(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return (n_rows,) which rows are measured for certain, and which are not, given the grid ticks up to there."""
        ...

    def final(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return (n_rows,) which rows are measured, after the last, and those among them whose values are kept."""
        ...


class EveryTick:
    """The choice of all ticks."""

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Do nothing."""

    def certain(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return that all rows are measured."""
        return np.ones(n_rows, dtype=np.bool_), np.zeros(n_rows, dtype=np.bool_)

    def final(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return that all rows are measured and kept."""
        return np.ones(n_rows, dtype=np.bool_), np.ones(n_rows, dtype=np.bool_)


@dataclass(slots=True)
class _Waiting:
    tick: int
    row: int
    source_frame: int | None
    shown: LazyImage
    begins_shot: bool
    searched: list[FaceObservation] | None = None
    repeated: bool = False
    """Whether it is on the grid with the picture of the grid tick before."""


class WaitingTicks:
    """Queue of ticks between the decoder and the measurement of their faces."""

    def __init__(self, models: Perception, choice: TickChoice, n_rows: int) -> None:
        """Begin a range of `n_rows` ticks."""
        self.collector = FaceCollector(models)
        self.grid = np.zeros(n_rows, dtype=np.bool_)
        """(n_rows,) the grid ticks."""
        self._scheme = models.landmarks
        self._choice = choice
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._group: int | None = None
        self._last: int | None = None
        """Source frame of the tick before."""
        self._grid_frame: int | None = None
        self._grid_faces: list[FaceObservation] = []
        self._next_row = 0
        """Row that would continue the run of measured ticks."""

    def add(self, tick: int, row: int, source_frame: int | None, shown: LazyImage, *, begins_shot: bool) -> None:
        """Add a tick with a picture, later than those before."""
        waiting = _Waiting(tick, row, source_frame, shown, begins_shot)
        group, is_new = tick // GRID_TICKS, source_frame is None or source_frame != self._last
        self._last = source_frame
        if group != self._group and (is_new or source_frame == self._grid_frame):
            self._look(waiting, group, is_new=is_new)
        self._waiting.append(waiting)
        self._bytes += shown.held_bytes
        if self.grid[row]:
            self._settle(row + 1)
            if self._waiting:
                shown.release()
        while self._bytes > _MOST_BYTES and len(self._waiting) > 1:
            self._measure(self._waiting[0])

    def finish(self) -> BoolArray:
        """Measure what is left, and return (n_rows,) of which rows everything is known."""
        needed, kept = self._choice.final(len(self.grid))
        while self._waiting:
            first = self._waiting[0]
            (self._measure if needed[first.row] else self._drop)(first)
        return kept

    def _look(self, waiting: _Waiting, group: int, *, is_new: bool) -> None:
        """Search a grid tick, or take the faces of the one before, which has the same picture."""
        if is_new:
            waiting.searched = self._grid_faces = self.collector.search(waiting.shown)
            self._grid_frame = waiting.source_frame
        else:
            waiting.searched, waiting.repeated = self._grid_faces, True
        self._group = group
        self.grid[waiting.row] = True
        faces: Sequence[FaceObservation] = waiting.searched
        points = np.array([face.landmarks_px for face in faces], dtype=np.float32).reshape(
            len(faces), self._scheme.n_points, 2
        )
        self._choice.saw(
            waiting.row,
            np.array([face.box_px for face in faces], dtype=np.float32).reshape(-1, 4),
            np.array([face.score for face in faces], dtype=np.float32),
            key_points(points, self._scheme),
        )

    def _settle(self, n_rows: int) -> None:
        """Measure or drop the ticks that are certain."""
        needed, dropped = self._choice.certain(n_rows)
        while self._waiting and (needed[self._waiting[0].row] or dropped[self._waiting[0].row]):
            first = self._waiting[0]
            (self._measure if needed[first.row] else self._drop)(first)

    def _measure(self, first: _Waiting) -> None:
        self._leave()
        if first.row != self._next_row or first.begins_shot:
            self.collector.begin_run()
        self._next_row = first.row + 1
        searched = None if first.repeated else first.searched
        self.collector.add(first.tick, first.row, first.source_frame, first.shown, searched)

    def _drop(self, first: _Waiting) -> None:
        self._leave()
        if first.searched is not None:
            self.collector.add_alone(first.row, first.shown, first.searched)

    def _leave(self) -> None:
        self._bytes -= self._waiting.popleft().shown.held_bytes
