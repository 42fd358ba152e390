"""Mean of a measure over the frames of a video that have it."""

from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float64Array

__all__ = ["FrameMean", "mean_over_frames"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameMean:
    """Mean over frames, and how many frames it is of."""

    mean: float | None
    """None where no frame could be measured."""
    n_frames: int
    """Frames that were measured."""
    n_missing: int
    """Frames that could not be measured, such as those without a face; they are not in the mean."""


def mean_over_frames(measures_T: Float64Array) -> FrameMean:
    """Return the mean of (T,) measures, of which NaN marks frames without one.

    >>> mean_over_frames(np.array([1.0, np.nan, 3.0]))
    FrameMean(mean=2.0, n_frames=2, n_missing=1)
    """
    measured = measures_T[~np.isnan(measures_T)]
    mean = float(measured.mean()) if len(measured) else None
    return FrameMean(mean=mean, n_frames=len(measured), n_missing=len(measures_T) - len(measured))
