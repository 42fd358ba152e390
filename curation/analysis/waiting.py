"""Decoded pictures that wait until it is certain whether they have to be measured."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curation.analysis.face_collector import FaceCollector, found_faces
from curation.analysis.outlook import Outlook
from curation.evidence.measures import GRID_TICKS
from curation.media.convert import LazyImage
from curation.media.frames_again import FramesAgain
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import BoolArray

__all__ = ["WaitingPictures"]

_MOST_BYTES = 256 * 2**20
"""Memory of the pictures that wait: 82 frames of 1920x1080, more than wait between stretches that hold no clip. Those
beyond it, of larger frames, are decoded a second time where they are needed."""


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

    pictures: list[_Picture]
    """Those that are neither measured nor left out; the first one of a new block is the grid tick."""
    found: Sequence[FaceObservation]
    """Faces on the grid tick."""
    first: int
    """The grid tick."""
    end: int | None = None
    """The next grid tick; None in the last block."""
    needs_before: bool = False
    """Whether the faces of the tick before tell how it is measured: it begins without a face, within a shot."""


class WaitingPictures:
    """Pictures of a range in the order of their ticks, from where it is not certain whether they are needed.

    The first new picture of each group of `GRID_TICKS` ticks is searched at once. Its block, up to the next such tick,
    is measured or left out when `Outlook` is certain. Where a search finds nobody, the block before is needed with it,
    for only where there was nobody either the pictures that follow are not searched.
    """

    def __init__(
        self, models: Perception, collected: FaceCollector, outlook: Outlook, again: FramesAgain, n_ticks: int
    ) -> None:
        """Begin a range of `n_ticks` ticks."""
        self._models, self._collected, self._outlook, self._again = models, collected, outlook, again
        self._blocks: deque[_Block] = deque()
        self._begins_shot = False
        self._measures_last = False
        """Whether the last block is being measured, picture by picture."""
        self._held_bytes = 0
        """Memory of the pictures that wait."""
        self.measured: BoolArray = np.ones(n_ticks, dtype=np.bool_)
        """(n_ticks,) False on ticks that were left out, up to now."""

    def begin_shot(self) -> None:
        """Note that the next picture cannot be compared with those before."""
        self._begins_shot = True

    def add(self, picture_at: tuple[int, int], source_frame: int | None, shown: LazyImage, *, on_grid: bool) -> None:
        """Add a picture, later than those before, and measure or leave out what is certain now.

        Args:
            picture_at: its tick in the video and in the range.
            source_frame: number of the stored frame.
            shown: its image.
            on_grid: whether it is the first new picture of its group.
        """
        tick, row = picture_at
        picture = _Picture(tick, row, source_frame, shown, self._begins_shot)
        self._begins_shot = False
        if on_grid:
            found = self._models.faces(shown.rgb, None)
            if self._blocks:
                self._blocks[-1].end = tick
            needs_before = not found and not picture.begins_shot
            self._blocks.append(_Block([picture], found, tick, needs_before=needs_before))
            self._outlook.add(tick, found_faces(tick, found, self._models.landmarks))
            self._settle()
        else:
            self._blocks[-1].pictures.append(picture)
            if self._measures_last:
                self._measure(self._blocks[-1])
        if self._blocks[-1].pictures:  # it waits
            if on_grid:
                shown.forget_rgb()
            picture.held_bytes = shown.held_bytes
            self._held_bytes += picture.held_bytes
            self._keep_within_limits(tick)

    def finish(self, end_tick: int, *, goes_on: bool) -> None:
        """End the range before a tick; `goes_on` where the video has more."""
        self._outlook.finish(end_tick, goes_on=goes_on)
        if self._blocks:
            self._blocks[-1].end = end_tick
        self._settle()

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
        self._again.close()

    def _needed(self) -> list[bool | None]:
        """Return for each block whether it is needed; None while that is not certain."""
        needed: list[bool | None] = []
        for block in self._blocks:
            need = self._outlook.needs(block.first, block.first + GRID_TICKS if block.end is None else block.end)
            needed.append(None if block.end is None and not need else need)
        for k in reversed(range(len(needed) - 1)):
            if self._blocks[k + 1].needs_before and needed[k] is not True:
                needed[k] = needed[k + 1] if needed[k] is False else needed[k + 1] or None
        return needed

    def _measure(self, block: _Block) -> None:
        for picture in self._taken(block):
            searched = block.found if picture.tick == block.first else None
            self._collected.add(picture.tick, picture.row, picture.source_frame, picture.shown, searched)

    def _leave_out(self, block: _Block) -> None:
        for picture in self._taken(block):
            self.measured[picture.row] = False
            if picture.tick == block.first:
                self._collected.add_found(picture.row, block.found)

    def _taken(self, block: _Block) -> Iterator[_Picture]:
        """Yield the pictures of a block, which wait no more; those that begin a shot after the last one has ended."""
        for picture in block.pictures:
            if picture.begins_shot:
                self._collected.begin_shot()
            self._held_bytes -= picture.held_bytes
            yield picture
        block.pictures.clear()

    def _keep_within_limits(self, tick: int) -> None:
        """Measure the oldest block where too many ticks wait; forget the oldest pictures where they take too much."""
        while self._blocks[0].end is not None and tick - self._blocks[0].first > self._outlook.longest_wait_ticks:
            self._measure(self._blocks.popleft())
        for picture in (picture for block in self._blocks for picture in block.pictures):
            if self._held_bytes <= _MOST_BYTES:
                break
            self._held_bytes -= picture.held_bytes
            picture.shown, picture.held_bytes = self._again.at(picture.tick, picture.shown.shape), 0
