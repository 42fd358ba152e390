"""Decoded pictures that wait until it is certain whether the faces on their ticks have to be measured."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from curation.analysis.face_collector import FaceCollector, MeasuredFace
from curation.analysis.tick_choice import TickChoice
from curation.evidence.measures import GRID_TICKS
from curation.media.convert import LazyImage
from curation.media.frames_again import FramesAgain
from curation.media.memory import trim_heap
from curation.perception.models import Perception
from foundation.array_types import BoolArray, Float32Array

__all__ = ["WaitingTicks"]

_MOST_BYTES = 24 << 20
"""Pictures that may wait, bytes: 8 of 1920x1080 pixels, 72 of 640x360. Beyond it, in a stretch that may become a clip,
the oldest are measured, needed or not. Elsewhere they are forgotten, and decoded a second time if they are needed after
all, where a clip begins soon."""


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

    first: int
    """Row of the grid tick."""
    pictures: list[_Picture]
    """Those that are neither measured nor left out."""
    begins_shot: bool
    searched: Sequence[MeasuredFace] | None = None
    """Faces on the grid tick; None: it was not searched."""
    end: int | None = None
    """Row of the next grid tick; None in the last block."""

    def faces(self) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Return boxes, scores and points of the faces on the grid tick, as `TickChoice` takes them."""
        searched = self.searched or ()
        return (
            np.array([face.found.box_px for face in searched], dtype=np.float32).reshape(-1, 4),
            np.array([face.found.score for face in searched], dtype=np.float32),
            np.array([face.key_points_px for face in searched], dtype=np.float32).reshape(-1, 9, 2),
        )

    def may_leave_unknown(self) -> bool:
        """Return whether a block after this one, if it begins without a face, may depend on what this one shows."""
        return self.searched is None or bool(self.searched) or any(one.begins_shot for one in self.pictures[1:])


class WaitingTicks:
    """Queue of ticks between the decoder and the measurement of their faces.

    The first new picture of each group of `GRID_TICKS` ticks is searched at once: the grid tick. Its block, up to the
    next one, is measured or left out when the choice is certain. Between anchors that fail, blocks wait without being
    searched, and are only where a clip may lie. A block that begins without a face after one that begins with one is
    measured only together with it, since only where that ended without a face its pictures are not searched.
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
        """(n_rows,) the grid ticks that were searched."""
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
        self._holding: dict[int, _Picture] = {}
        """Those of them that take memory, by their rows."""
        self._failing = (-1, 0)
        """Period of the last anchor, and how many of its anchors were seen, all of which fail; -1 if one does not."""
        self._n_open = 0
        """Last blocks of the queue that the choice does not know: those that wait for the next anchors, and these."""

    def add(self, tick: int, row: int, source_frame: int | None, shown: LazyImage, *, begins_shot: bool) -> None:
        """Add a tick with a picture, later than those before, and measure or leave out what is certain now."""
        picture = _Picture(tick, row, source_frame, shown, begins_shot)
        is_new = begins_shot or source_frame is None or source_frame != self._last
        self._last = source_frame
        if is_new and tick // GRID_TICKS != self._group:
            self._begin_block(picture)
        else:
            self._blocks[-1].pictures.append(picture)
            if self._measures_last:
                self._measure(self._blocks[-1])
        if is_new:
            self._group = tick // GRID_TICKS
        if self._blocks[-1].pictures:  # it waits
            self._hold(picture)
            self._keep_within_limit()

    def finish(self) -> BoolArray:
        """Measure what is left, and return (n_rows,) of which rows everything is known."""
        n_rows = len(self.grid)
        if self._choice.may_end(n_rows):
            self._show_open()
        kept = self._choice.finish(n_rows)
        if self._blocks:
            self._blocks[-1].end = n_rows
        self._settle()
        return kept

    def _begin_block(self, picture: _Picture) -> None:
        """Begin a block with a grid tick, which is searched unless it lies behind anchors that fail."""
        if self._blocks:
            self._blocks[-1].end = picture.row
        block = _Block(picture.row, [picture], picture.begins_shot)
        self._blocks.append(block)
        (period, number), n_anchors = self._choice.place(picture.tick), self._choice.n_anchors
        needed = self._choice.needs(picture.row, picture.row + 1)
        if number >= n_anchors and self._failing == (period, n_anchors) and not needed:
            self._n_open += 1
            return
        self._search(block)
        before = self._failing
        if number < n_anchors:
            n_before = before[1] if before[0] == period else 0
            fails = n_before == number and self._choice.fails(*block.faces())
            self._failing = (period, number + 1 if fails else -1)
        if self._n_open:
            self._n_open += 1
            follows = before in ((period - 1, n_anchors), (period, number)) and self._failing == (period, number + 1)
            if follows and number + 1 < n_anchors:
                return
            if follows:
                self._n_open = n_anchors
        else:
            self._n_open = 1
        self._show_open()
        self._settle()

    def _show_open(self) -> None:
        """Tell the choice of the last blocks, in order, after they were searched."""
        shown, self._n_open = list(islice(self._blocks, len(self._blocks) - self._n_open, None)), 0
        for block in shown:
            self._search(block)
            self._choice.saw(block.first, *block.faces())

    def _search(self, block: _Block) -> Sequence[MeasuredFace]:
        """Return the faces on the grid tick of a block, searched if they were not yet."""
        if block.searched is None:
            picture = block.pictures[0]
            block.searched = self.collector.search(picture.shown)
            self.grid[block.first] = True
            if self._choice.needs(block.first, block.first + 1) is not True:
                picture.shown.release()
                self._hold(picture)
        return block.searched

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
        blocks = list(self._blocks)
        for k in reversed(range(len(needed) - 1)):
            before, block = blocks[k], blocks[k + 1]
            if needed[k] is True or needed[k + 1] is False or block.begins_shot or block.searched:
                continue
            if needed[k + 1] and not self._search(block):
                self._search(before)
                needed[k] = before.may_leave_unknown() or needed[k]
            elif needed[k + 1] is None and before.may_leave_unknown():
                needed[k] = None
        return needed

    def _measure(self, block: _Block) -> None:
        searched = self._search(block) if block.pictures and block.pictures[0].row == block.first else None
        for picture in self._taken(block):
            found = searched if picture.row == block.first else None
            self.collector.add(picture.tick, picture.row, picture.source_frame, picture.shown, found)

    def _leave_out(self, block: _Block) -> None:
        for picture in self._taken(block):
            if picture.row != block.first:
                continue
            if block.searched is None:
                self.collector.pass_over()
            else:
                self.collector.add_alone(picture.row, block.searched)

    def _taken(self, block: _Block) -> Iterator[_Picture]:
        """Yield the pictures of a block, which wait no more."""
        for picture in block.pictures:
            if picture.begins_shot:
                self.collector.begin_shot()
            self._let_go(picture)
            yield picture
        block.pictures.clear()

    def _hold(self, picture: _Picture) -> None:
        """Count the memory of a picture that waits."""
        self._let_go(picture)
        picture.held_bytes = picture.shown.held_bytes
        self._held_bytes += picture.held_bytes
        if picture.held_bytes:
            self._holding[picture.row] = picture

    def _let_go(self, picture: _Picture) -> None:
        self._held_bytes -= picture.held_bytes
        picture.held_bytes = 0
        self._holding.pop(picture.row, None)

    def _keep_within_limit(self) -> None:
        """Measure or forget the oldest pictures while all take too much memory."""
        while self._held_bytes > _MOST_BYTES and self._blocks[0].end is not None and self._is_likely():
            self._measure(self._blocks.popleft())
            trim_heap()
        while self._held_bytes > _MOST_BYTES and self._holding:
            picture = next(iter(self._holding.values()))
            self._let_go(picture)
            picture.shown = self._again.at(picture.tick, picture.shown.shape)

    def _is_likely(self) -> bool:
        return self._choice.is_likely(self._blocks[0].first)
