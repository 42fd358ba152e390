"""Decoded pictures that wait until it is certain whether the faces on their ticks have to be measured."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from curation.analysis.face_collector import FaceCollector, MeasuredFace
from curation.evidence.measures import GRID_TICKS
from curation.media.convert import LazyImage
from curation.media.frames_again import FramesAgain
from curation.media.memory import trim_heap
from curation.perception.models import Perception
from foundation.array_types import BoolArray, Float32Array

__all__ = ["EveryTick", "TickChoice", "WaitingTicks"]

_MOST_BYTES = 96 << 20
"""Pictures that may wait, bytes: 31 of 1920x1080 pixels. Beyond it, in a stretch that may become a clip, the oldest are
measured, needed or not. Elsewhere they are forgotten, and decoded a second time if they are needed after all, where a
clip begins soon."""


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

    def needs(self, first: int, end: int) -> bool | None:
        """Return whether one of the rows ``[first, end)`` is measured; None while that is not certain."""
        ...

    def is_likely(self, row: int) -> bool:
        """Return whether a row lies in a stretch that goes on and may become a clip."""
        ...

    def finish(self, n_rows: int) -> BoolArray:
        """End the range, after which all is certain; return (n_rows,) the rows of which all values are kept."""
        ...


class EveryTick:
    """The choice of all ticks."""

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Do nothing."""

    def needs(self, first: int, end: int) -> bool | None:  # noqa: ARG002 - of any rows
        """Return that they are measured."""
        return True

    def is_likely(self, row: int) -> bool:  # noqa: ARG002 - of any row
        """Return that it does."""
        return True

    def finish(self, n_rows: int) -> BoolArray:
        """Return that all rows are kept."""
        return np.ones(n_rows, dtype=np.bool_)


@dataclass(slots=True)
class _Picture:
    """What a range shows at one tick."""

    tick: int
    row: int
    source_frame: int | None
    shown: LazyImage
    begins_shot: bool
    held_bytes: int = 0


@dataclass(slots=True)
class _Block:
    """Ticks from one grid tick to the next, which are measured together or not at all."""

    searched: Sequence[MeasuredFace]
    """Faces on the grid tick."""
    first: int
    """Row of the grid tick."""
    pictures: list[_Picture]
    """Those that are neither measured nor left out."""
    needs_before: bool
    """Whether the faces of the tick before tell how it is measured: it begins without a face, within a shot."""
    end: int | None = None
    """Row of the next grid tick; None in the last block."""


class WaitingTicks:
    """Queue of ticks between the decoder and the measurement of their faces.

    The first new picture of each group of `GRID_TICKS` ticks is searched at once: the grid tick. Its block, up to the
    next one, is measured or left out when the choice is certain. A block that begins without a face is measured only
    together with the block before, since only where that ended without a face its pictures are not searched.
    """

    def __init__(self, models: Perception, choice: TickChoice, n_rows: int, again: FramesAgain) -> None:
        """Begin a range.

        Args:
            models: those that measure.
            choice: chooses what is measured.
            n_rows: ticks of the range.
            again: decodes pictures of the video a second time.
        """
        self.collector = FaceCollector(models)
        self.grid = np.zeros(n_rows, dtype=np.bool_)
        """(n_rows,) the grid ticks."""
        self._choice, self._again = choice, again
        self._blocks: deque[_Block] = deque()
        self._group: int | None = None
        """Last group of ticks with a new picture."""
        self._last: int | None = None
        """Source frame of the tick before."""
        self._measures_last = False
        """Whether the last block is being measured, picture by picture."""
        self._held_bytes = 0
        """Memory of the pictures that wait."""

    def add(self, tick: int, row: int, source_frame: int | None, shown: LazyImage, *, begins_shot: bool) -> None:
        """Add a tick with a picture, later than those before, and measure or leave out what is certain now."""
        picture = _Picture(tick, row, source_frame, shown, begins_shot)
        is_new = begins_shot or source_frame is None or source_frame != self._last
        self._last = source_frame
        if is_new and tick // GRID_TICKS != self._group:
            self._look(picture)
        else:
            self._blocks[-1].pictures.append(picture)
            if self._measures_last:
                self._measure(self._blocks[-1])
        if is_new:
            self._group = tick // GRID_TICKS
        if self._blocks[-1].pictures:  # it waits
            picture.held_bytes = shown.held_bytes
            self._held_bytes += picture.held_bytes
            self._keep_within_limit()

    def finish(self) -> BoolArray:
        """Measure what is left, and return (n_rows,) of which rows everything is known."""
        n_rows = len(self.grid)
        kept = self._choice.finish(n_rows)
        if self._blocks:
            self._blocks[-1].end = n_rows
        self._settle()
        return kept

    def _look(self, picture: _Picture) -> None:
        """Begin a block with a grid tick."""
        searched = self.collector.search(picture.shown)
        self.grid[picture.row] = True
        if self._blocks:
            self._blocks[-1].end = picture.row
        needs_before = not searched and not picture.begins_shot
        self._blocks.append(_Block(searched, picture.row, [picture], needs_before))
        self._choice.saw(
            picture.row,
            np.array([face.found.box_px for face in searched], dtype=np.float32).reshape(-1, 4),
            np.array([face.found.score for face in searched], dtype=np.float32),
            np.array([face.key_points_px for face in searched], dtype=np.float32).reshape(-1, 9, 2),
        )
        self._settle()
        if self._blocks[-1].pictures:
            picture.shown.release()

    def _settle(self) -> None:
        """Measure, or leave out, the blocks from the oldest on of which it is certain."""
        self._measures_last = False
        for need in self._needed():
            if need is None:
                break
            block = self._blocks[0]
            if need:
                self._measure(block)
            else:
                self._leave_out(block)
            if block.end is None:
                self._measures_last = True
                break
            self._blocks.popleft()
            trim_heap()
        self._again.close()

    def _needed(self) -> list[bool | None]:
        """Return for each block whether it is needed; None while that is not certain."""
        needed: list[bool | None] = []
        for block in self._blocks:
            need = self._choice.needs(block.first, block.first + 1 if block.end is None else block.end)
            needed.append(None if block.end is None and not need else need)
        for k in reversed(range(len(needed) - 1)):
            if self._blocks[k + 1].needs_before and needed[k] is not True:
                needed[k] = needed[k + 1] if needed[k] is False else needed[k + 1] or None
        return needed

    def _measure(self, block: _Block) -> None:
        for picture in self._taken(block):
            searched = block.searched if picture.row == block.first else None
            self.collector.add(picture.tick, picture.row, picture.source_frame, picture.shown, searched)

    def _leave_out(self, block: _Block) -> None:
        for picture in self._taken(block):
            if picture.row == block.first:
                self.collector.add_alone(picture.row, block.searched)

    def _taken(self, block: _Block) -> Iterator[_Picture]:
        """Yield the pictures of a block, which wait no more."""
        for picture in block.pictures:
            if picture.begins_shot:
                self.collector.begin_shot()
            self._held_bytes -= picture.held_bytes
            yield picture
        block.pictures.clear()

    def _keep_within_limit(self) -> None:
        """Measure or forget the oldest pictures while all take too much memory."""
        while self._held_bytes > _MOST_BYTES and self._blocks[0].end is not None and self._is_likely():
            self._measure(self._blocks.popleft())
            trim_heap()
        for picture in (picture for block in self._blocks for picture in block.pictures):
            if self._held_bytes <= _MOST_BYTES:
                break
            self._held_bytes -= picture.held_bytes
            picture.shown, picture.held_bytes = self._again.at(picture.tick, picture.shown.shape), 0

    def _is_likely(self) -> bool:
        return self._choice.is_likely(self._blocks[0].first)
