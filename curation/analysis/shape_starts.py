"""Boundaries at which a video goes on in frames of another size, or in another recording."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from curation.evidence.measures import SURE_CUT_SCORE
from foundation.array_types import Float32Array

__all__ = ["ShapeStarts"]


class ShapeStarts:
    """Collector of the rows of a range at which frames of another size, or another recording, begin."""

    def __init__(self, reach_rows: int) -> None:
        """Begin a range.

        Args:
            reach_rows: how far a frame is compared with the last one before it, so that a window that begins as many
                rows earlier than it is asked for finds what a pass over the complete video finds.
        """
        self._reach = reach_rows
        self._last: tuple[int, tuple[int, int]] | None = None
        self._rows: list[int] = []

    def begin(self, row: int) -> None:
        """Begin another recording, however alike its frames are; before the frame of that row is added."""
        self._last = None
        self._rows.append(row)

    def add(self, row: int, size_px: tuple[int, int]) -> bool:
        """Add a frame by its row, later than those before, and its width and height; return whether a size begins."""
        last, self._last = self._last, (row, size_px)
        begins = last is not None and row - last[0] <= self._reach and size_px != last[1]
        if begins:
            self._rows.append(row)
        return begins

    def cut_scores(
        self, score: Callable[[npt.NDArray[np.uint8]], Float32Array], thumbs: npt.NDArray[np.uint8]
    ) -> Float32Array:
        """Return (T,) scores of shot boundaries for (T, h, w, 3) thumbnails: frames of one size are compared.

        Args:
            score: the cut scorer.
            thumbs: of all rows.
        """
        edges = [0, *self._rows, len(thumbs)]
        scores = np.concatenate([score(thumbs[first:end]) for first, end in pairwise(edges)])
        scores[self._rows] = SURE_CUT_SCORE
        return scores
