"""Choice of the ticks that are measured, and of the pictures that are searched, while a range is looked at."""

from typing import Protocol

import numpy as np

from curation.evidence.measures import GRID_TICKS
from foundation.array_types import BoolArray, Float32Array

__all__ = ["EveryTick", "TickChoice"]


class TickChoice(Protocol):
    """Chooses the ticks of a range that are measured, as the grid ticks come in."""

    def place(self, tick: int) -> tuple[int, int]:
        """Return the period of a tick of the video, and the number of its group in it.

        The first `n_anchors` groups of a period are searched. Where all of them fail, in this period and the next one,
        the groups between need not be.
        """
        ...

    @property
    def n_anchors(self) -> int:
        """Groups at the beginning of each period that are searched in any case."""
        ...

    def fails(self, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> bool:
        """Return whether a picture, by itself, shows that no clip is here.

        Args:
            box_px: (F, 4) boxes of its faces, the widest first.
            score: (F,) confidences of the detector.
            key_points_px: (F, 9, 2) points.
        """
        ...

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

    def may_end(self, n_rows: int) -> bool:
        """Return whether rows after those that were seen may be part of a clip, if the range ends now."""
        ...

    def finish(self, n_rows: int) -> BoolArray:
        """End the range, after which all is certain; return (n_rows,) the rows of which all values are kept."""
        ...


class EveryTick:
    """The choice of all ticks."""

    n_anchors = 1

    def place(self, tick: int) -> tuple[int, int]:
        """Return a period for each group, which is searched."""
        return tick // GRID_TICKS, 0

    def fails(self, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> bool:  # noqa: ARG002
        """Return that it may be part of a clip."""
        return False

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Do nothing."""

    def needs(self, first: int, end: int) -> bool | None:  # noqa: ARG002 - of any rows
        """Return that they are measured."""
        return True

    def is_likely(self, row: int) -> bool:  # noqa: ARG002 - of any row
        """Return that it does."""
        return True

    def may_end(self, n_rows: int) -> bool:  # noqa: ARG002 - however long
        """Return that they may."""
        return True

    def finish(self, n_rows: int) -> BoolArray:
        """Return that all rows are kept."""
        return np.ones(n_rows, dtype=np.bool_)
