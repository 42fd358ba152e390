"""Runs of equal ticks, which several rules are about."""

import numpy as np

from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TickRange

__all__ = ["run_lengths", "true_runs", "with_margin"]


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


def with_margin(run: TickRange, margin: int, left_out: BoolArray) -> TickRange:
    """Return a run with a margin on both sides, which ends before a tick that is left out.

    Args:
        run: of ticks, none of them left out; it may be empty.
        margin: ticks on either side.
        left_out: (T,) ticks that were not chosen: chosen ranges are recordings of their own.

    >>> with_margin((3, 5), 2, np.array([False, False, True, False, False, False, False, False]))
    (3, 7)
    """
    first, end = run
    before = np.flatnonzero(left_out[:first])[-1:].tolist() or [-1]
    after = np.flatnonzero(left_out[end:])[:1].tolist() or [len(left_out) - end]
    return max(before[0] + 1, first - margin), min(end + after[0], end + margin)
