"""Runs of equal ticks: the one piece of arithmetic that several rules share."""

import numpy as np

from foundation.array_types import BoolArray, Int64Array

__all__ = ["run_lengths", "true_runs"]


def true_runs(flags: BoolArray, starts_new: BoolArray | None = None) -> list[tuple[int, int]]:
    """Return the maximal half-open runs ``[first, end)`` of True.

    Args:
        flags: (T,) ticks.
        starts_new: (T,) True where a run must not continue from the tick before, such as at a shot cut.

    >>> true_runs(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    >>> true_runs(np.array([True, True, True]), np.array([False, False, True]))
    [(0, 2), (2, 3)]
    """
    begins = flags.copy()
    begins[1:] &= ~flags[:-1] if starts_new is None else (~flags[:-1] | starts_new[1:])
    ends = flags.copy()
    ends[:-1] = flags[:-1] & (~flags[1:] | begins[1:])
    return [(int(a), int(b) + 1) for a, b in zip(np.flatnonzero(begins), np.flatnonzero(ends), strict=True)]


def run_lengths(flags: BoolArray, starts_new: BoolArray | None = None) -> Int64Array:
    """Return for each tick the length of the run of True that it lies in; 0 where it is False.

    Args:
        flags: (T,) ticks.
        starts_new: as for `true_runs`.

    >>> run_lengths(np.array([True, True, False, True]))
    array([2, 2, 0, 1])
    """
    lengths = np.zeros(len(flags), dtype=np.int64)
    for first, end in true_runs(flags, starts_new):
        lengths[first:end] = end - first
    return lengths
