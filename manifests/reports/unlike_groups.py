"""Whether a loss differs between groups of people by more than chance.

The unit is a person where the speaker is known, otherwise a video: seconds of one person are lost together, by the same
camera and the same way of sitting, and would otherwise pass for many independent observations.
"""

from collections.abc import Sequence

import numpy as np

from foundation.array_types import Float64Array, Int64Array

__all__ = ["LEAST_UNITS", "adjusted", "chances", "interval"]

LEAST_UNITS = 10
"""People or videos that a group needs before anything is said of chance."""

_RESAMPLES = 2000

_MOST_RESAMPLED = 2000
"""Units that are resampled; more are put together at random into as many, which leaves the variance as it is."""

_PERMUTATIONS = 9999

_FEWEST_PERMUTATIONS = 1999

_MOST_MOVED = 2 * 10**7
"""Units that all permutations together move: a large dataset takes fewer permutations."""

_MOST_PERMUTED = 20_000
"""Units of all groups that are permuted; of more, those of a group are put together at random."""


def interval(offered_s: Float64Array, lost_s: Float64Array) -> tuple[float, float] | None:
    """Return the limits of the 95 % interval of a share of seconds, by the bootstrap over units; None of too few units.

    Args:
        offered_s: (U,) seconds of each unit.
        lost_s: (U,) how many of them are counted.
    """
    if len(offered_s) < LEAST_UNITS or not offered_s.sum() > 0.0:
        return None
    chance = np.random.default_rng(0)
    sums = _put_together(np.stack([offered_s, lost_s], axis=1), _MOST_RESAMPLED, chance)
    drawn = chance.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size=_RESAMPLES) @ sums
    drawn = drawn[drawn[:, 0] > 0.0]
    low, high = np.percentile(drawn[:, 1] / drawn[:, 0], [2.5, 97.5])
    return float(low), float(high)


def chances(offered_s: Float64Array, lost_s: Float64Array, group: Int64Array, stratum: Int64Array) -> Float64Array:
    """Return how likely shares of groups differ as much by chance as they do: p values of permutation tests.

    Groups are exchanged among the units of a stratum. What is compared is the sum over the groups of
    `offered * (share - share of all)**2`.

    Args:
        offered_s: (U, R) seconds of each unit, for each of R losses.
        lost_s: (U, R) seconds lost.
        group: (U,) numbers of the groups, from 0.
        stratum: (U,) numbers of the strata, from 0.

    Returns:
        (R,) chances, above 0.
    """
    chance = np.random.default_rng(0)
    sums = np.concatenate([offered_s, lost_s], axis=1)
    sums, group, stratum = _at_most(sums, group, stratum, chance)
    order = np.lexsort((group, stratum))
    sums, group, stratum = sums[order], group[order], stratum[order]
    membership = (group[None, :] == np.arange(group.max() + 1)[:, None]).astype(np.float64)
    observed = _unlikeness(membership @ sums)
    n = min(_PERMUTATIONS, max(_FEWEST_PERMUTATIONS, _MOST_MOVED // len(group)))
    as_unlike = np.zeros(len(observed))
    for _ in range(n):
        moved = np.lexsort((chance.random(len(group)), stratum))
        as_unlike += _unlikeness(membership @ sums[moved]) >= observed * (1.0 - 1e-9)
    return (as_unlike + 1.0) / (n + 1.0)


def adjusted(chances_of: Sequence[float]) -> list[float]:
    """Return chances as Holm's method adjusts them, so that their number makes no false alarm more likely.

    >>> adjusted([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances_of)), key=lambda number: chances_of[number])
    result = [1.0] * len(order)
    highest = 0.0
    for rank, number in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * chances_of[number]))
        result[number] = round(highest, 6)
    return result


def _unlikeness(sums: Float64Array) -> Float64Array:
    """Return (R,) how far the shares of (G, 2 R) sums of groups lie apart, seconds."""
    offered, lost = np.split(sums, 2, axis=1)
    share = lost.sum(axis=0) / np.maximum(offered.sum(axis=0), 1e-12)
    return np.asarray((offered * (lost / np.maximum(offered, 1e-12) - share) ** 2).sum(axis=0))


def _put_together(rows: Float64Array, most: int, chance: np.random.Generator) -> Float64Array:
    """Return at most `most` rows, sums of rows that are put together at random."""
    if len(rows) <= most:
        return rows
    starts = np.linspace(0, len(rows), most, endpoint=False).astype(np.int64)
    return np.asarray(np.add.reduceat(rows[chance.permutation(len(rows))], starts, axis=0))


def _at_most(
    sums: Float64Array, group: Int64Array, stratum: Int64Array, chance: np.random.Generator
) -> tuple[Float64Array, Int64Array, Int64Array]:
    """Return fewer units, put together at random within a group and a stratum, equally many of each kind to one."""
    if len(group) <= _MOST_PERMUTED:
        return sums, group, stratum
    together = -(-len(group) // _MOST_PERMUTED)
    kinds = np.unique(np.stack([group, stratum], axis=1), axis=0)
    pieces, groups, strata = [], [], []
    for kind in kinds:
        own = sums[(group == kind[0]) & (stratum == kind[1])]
        pieces.append(_put_together(own, max(1, len(own) // together), chance))
        groups += [kind[0]] * len(pieces[-1])
        strata += [kind[1]] * len(pieces[-1])
    return np.concatenate(pieces), np.array(groups), np.array(strata)
