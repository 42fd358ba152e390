"""Agglomerative clustering with average linkage, for a million items, under must-links and cannot-links.

The mean cosine of all pairs between two groups is the inner product of their mean vectors, so that a nearest-neighbour
search among the means finds, for each group, the one that it is most like. Two groups that are each other's nearest are
joined, all such pairs in one round. Average linkage allows this: whatever else is joined meanwhile, the two remain each
other's nearest (Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer Journal 1983).
The rounds therefore end with the groups that the usual algorithm makes one pair at a time, as far as the search misses no
neighbour and no cannot-link intervenes. A group without a neighbour above the limit will never have one, so a round costs
only what is still in motion.
"""

import numpy as np

from curation.identities.links import Groups
from curation.identities.nearest import Neighbours, nearest
from foundation.array_types import Float32Array, Float64Array, Int64Array

__all__ = ["GroupMeans", "agglomerate", "unit"]

_NEIGHBOURS = 8
"""Neighbours looked at per group: the first may be the group itself, or those that must stay apart."""


def unit(vectors: Float32Array) -> Float32Array:
    """Return (N, D) vectors scaled to length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32Array = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


class GroupMeans:
    """Mean descriptors of groups, by the number of the group."""

    def __init__(self, descriptors: Float32Array, groups: Groups) -> None:
        """Sum (N, D) descriptors of length 1 over their groups."""
        self._sums = descriptors.copy()
        group = groups.all()
        self.size: Int64Array = np.bincount(group, minlength=len(group))
        """(N,) members of each group; 0 where a number is no group any more."""
        moved = np.flatnonzero(group != np.arange(len(group)))
        np.add.at(self._sums, group[moved], descriptors[moved])

    def of(self, groups: Int64Array) -> Float32Array:
        """Return the (M, D) means of groups; the inner product of two is the mean cosine between their members."""
        means: Float32Array = self._sums[groups] / self.size[groups, None].astype(np.float32)
        return means

    def join(self, pairs: Int64Array) -> None:
        """Add the members of the second group of each of (P, 2) pairs to the first."""
        kept, gone = pairs[:, 0], pairs[:, 1]
        self._sums[kept] += self._sums[gone]
        self.size[kept] += self.size[gone]
        self.size[gone] = 0


def agglomerate(means: GroupMeans, groups: Groups, among: Int64Array, limit: float, *, threads: int) -> None:
    """Join groups until no two that may be joined have a mean cosine of `limit` or more.

    Args:
        means: of the groups; changed.
        groups: the groups; changed.
        among: (M,) numbers of the groups that take part.
        limit: smallest mean cosine of two groups that are joined.
        threads: of the search.
    """
    moving = among
    while len(moving) > 1:
        vectors = means.of(moving)
        one, other, score = _best(nearest(vectors, _NEIGHBOURS, threads=threads), moving, groups, limit)
        pairs = _mutual(one, other, score)
        groups.join(pairs)
        means.join(pairs)
        moving = np.unique(np.concatenate([one, other]))
        moving = moving[means.size[moving] > 0]


def _best(
    found: Neighbours, moving: Int64Array, groups: Groups, limit: float
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Return for each group the best that it may be joined with: (E,) lower number, higher number, mean cosine.

    Groups without a neighbour above the limit are left out; pairs are there once or twice.
    """
    usable = (found.number >= 0) & (found.number != np.arange(len(moving))[:, None]) & (found.score >= limit)
    for row in np.flatnonzero(groups.restricted(moving)).tolist():
        for column in np.flatnonzero(usable[row]).tolist():
            usable[row, column] = groups.may_join(int(moving[row]), int(moving[found.number[row, column]]))
    rows = np.flatnonzero(usable.any(axis=1))
    columns = usable[rows].argmax(axis=1)
    source, target = moving[rows], moving[found.number[rows, columns]]
    score = found.score[rows, columns].astype(np.float64)
    return np.minimum(source, target), np.maximum(source, target), score


def _mutual(one: Int64Array, other: Int64Array, score: Float64Array) -> Int64Array:
    """Return the (P, 2) pairs that are the best of both of their groups; equal scores are ordered by number."""
    order = np.lexsort((other, one, -score))
    ends = np.stack([one[order], other[order]])
    best = np.full(int(ends.max(initial=-1)) + 1, len(order), dtype=np.int64)
    for end in ends:
        np.minimum.at(best, end, np.arange(len(order)))
    place = np.arange(len(order))
    mutual = (best[ends[0]] == place) & (best[ends[1]] == place)
    pairs: Int64Array = ends[:, mutual].T
    return pairs
