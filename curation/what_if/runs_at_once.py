"""Runs of ticks of many videos at once, without a loop over them."""

import numpy as np

from foundation.array_types import BoolArray, Int64Array

__all__ = ["marked", "pieces_of", "runs_of"]


def runs_of(flags: BoolArray, starts_new: BoolArray | None = None) -> tuple[Int64Array, Int64Array]:
    """Return the first ticks and the ends of the maximal runs of True, as `curation.rules.runs.true_runs` does.

    Args:
        flags: (T,) ticks.
        starts_new: (T,) True where a run must not continue from the tick before.

    >>> runs_of(np.array([True, True, False, True]))
    (array([0, 3]), array([2, 4]))
    """
    goes_on = np.empty(len(flags) + 1, dtype=np.bool_)
    goes_on[0] = goes_on[-1] = False
    np.logical_and(flags[1:], flags[:-1], out=goes_on[1:-1])
    if starts_new is not None:
        goes_on[1:-1] &= ~starts_new[1:]
    return np.flatnonzero(flags & ~goes_on[:-1]), np.flatnonzero(flags & ~goes_on[1:]) + 1


def marked(n_ticks: int, firsts: Int64Array, ends: Int64Array) -> BoolArray:
    """Return (n_ticks,) whether a tick lies in one of the ranges, which do not overlap.

    >>> marked(5, np.array([0, 3]), np.array([2, 4])).astype(int)
    array([1, 1, 0, 1, 0])
    """
    steps = np.zeros(n_ticks + 1, dtype=np.int8)
    steps[firsts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).view(np.bool_)


def pieces_of(firsts: Int64Array, ends: Int64Array, max_ticks: int) -> tuple[Int64Array, Int64Array]:
    """Return the ranges, longer ones cut as `curation.rules.too_short.split_evenly` does.

    >>> pieces_of(np.array([0, 20]), np.array([10, 23]), 4)
    (array([ 0,  3,  6, 20]), array([ 3,  6, 10, 23]))
    """
    lengths = ends - firsts
    n_pieces = -(-lengths // max_ticks)
    if not np.any(n_pieces > 1):
        return firsts, ends
    of = np.repeat(np.arange(len(firsts)), n_pieces)
    number = np.arange(len(of)) - np.repeat(np.cumsum(n_pieces) - n_pieces, n_pieces)
    return (
        firsts[of] + lengths[of] * number // n_pieces[of],
        firsts[of] + lengths[of] * (number + 1) // n_pieces[of],
    )
