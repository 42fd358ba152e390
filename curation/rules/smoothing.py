"""Running medians and deviations over the ticks of a shot."""

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from foundation.array_types import BoolArray, Float32Array, Float64Array

__all__ = ["running_deviation", "running_median"]


def running_median(values: Float32Array, n_ticks: int, starts_new: BoolArray | None = None) -> Float32Array:
    """Return the median of the known values around each tick; NaN where the tick's own value is NaN.

    Args:
        values: (T,) a value per tick, NaN where it is not known.
        n_ticks: width of the window, odd; it is cut off at the ends.
        starts_new: (T,) True where a window must not reach from a tick to the one before, such as at a shot cut.

    >>> running_median(np.array([1.0, 9.0, 2.0, 3.0], np.float32), 3).tolist()
    [5.0, 2.0, 3.0, 2.5]
    """
    smoothed = np.full(len(values), np.nan, dtype=np.float32)
    bounds = [0, len(values)] if starts_new is None else [0, *(np.flatnonzero(starts_new[1:]) + 1), len(values)]
    for first, end in pairwise(bounds):
        shot = values[first:end]
        present = ~np.isnan(shot)
        padded = np.pad(shot, n_ticks // 2, constant_values=np.nan)
        # NumPy's nanmedian needs as long for three ticks as this for a thousand; a sort puts NaN last
        windows = np.sort(sliding_window_view(padded, 2 * (n_ticks // 2) + 1)[present], axis=1)
        n_known = np.count_nonzero(~np.isnan(windows), axis=1)
        row = np.arange(len(windows))
        middle = windows[row, (n_known - 1) // 2] + windows[row, n_known // 2]
        smoothed[first:end][present] = middle / np.float32(2.0)
    return smoothed


def running_deviation(values: Float32Array, n_ticks: int, starts_new: BoolArray, least: int) -> Float32Array:
    """Return the standard deviation of the known values around each tick; NaN where too few are known.

    Args:
        values: (T,) a value per tick, NaN where it is not known.
        n_ticks: width of the window, even ones are widened by one; it is cut off at the ends.
        starts_new: (T,) as for `running_median`.
        least: smallest number of known values in a window.

    >>> running_deviation(np.array([1.0, 1.0, 1.0, 4.0], np.float32), 3, np.zeros(4, np.bool_), 3).round(3).tolist()
    [nan, 0.0, 1.4140000343322754, nan]
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0).astype(np.float64)
    shot = np.cumsum(starts_new)
    tick = np.arange(len(values))
    first = np.maximum(tick - n_ticks // 2, np.searchsorted(shot, shot, side="left"))
    end = np.minimum(tick + n_ticks // 2 + 1, np.searchsorted(shot, shot, side="right"))

    def sums(of: Float64Array) -> Float64Array:
        total = np.concatenate([[0.0], np.cumsum(of)])
        return np.asarray(total[end] - total[first])

    n_known = sums(known.astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = sums(filled**2) / n_known - (sums(filled) / n_known) ** 2
        deviation = np.sqrt(np.maximum(variance, 0.0))
    return np.where(n_known >= least, deviation, np.nan).astype(np.float32)
