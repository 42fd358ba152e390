"""Agglomerative clustering with average linkage, for millions of items, under must-links and cannot-links.

The mean likeness of all pairs between two groups is the inner product of their mean vectors, so that a nearest-neighbour
search among the means finds, for each group, the one that it is most like. Two groups that are each other's nearest are
joined, all such pairs in one round. Average linkage allows this: whatever else is joined meanwhile, the two remain each
other's nearest (Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer Journal 1983).
The rounds therefore end with the groups that the usual algorithm makes one pair at a time, as far as the search misses no
neighbour and no cannot-link intervenes. A group without a neighbour above the limit will never have one, so a round costs
only what is still in motion.
"""

from dataclasses import dataclass

import numpy as np

from curation.identities.likeness import Likeness
from curation.identities.links import Groups
from curation.identities.nearest import nearest
from foundation.array_types import Float32Array, Float64Array, Int64Array

__all__ = ["GroupMeans", "agglomerate"]

_NEIGHBOURS = 16
"""Neighbours looked at per group: the first may be those that must stay apart."""


@dataclass(kw_only=True, slots=True)
class GroupMeans:
    """Sums over the members of each group, by the number of the group."""

    descriptors: Float32Array
    """(N, D) sums of descriptors."""
    strangers: Float32Array
    """(N,) sums of cosines to strangers."""
    size: Int64Array
    """(N,) members; 0 where a number is no group any more."""

    @classmethod
    def of(cls, likeness: Likeness, groups: Groups) -> "GroupMeans":
        """Return the sums of groups of the items of a likeness."""
        means = cls(
            descriptors=likeness.descriptors.copy(),
            strangers=likeness.strangers.copy(),
            size=np.ones(len(likeness.strangers), dtype=np.int64),
        )
        for item, group in enumerate(groups.all()):
            if group != item:
                means.move(item, int(group))
        return means

    def move(self, gone: int, kept: int) -> None:
        """Add the members of one group to another."""
        self.descriptors[kept] += self.descriptors[gone]
        self.strangers[kept] += self.strangers[gone]
        self.size[kept] += self.size[gone]
        self.size[gone] = 0

    def sides(self, numbers: Int64Array) -> tuple[Float32Array, Float32Array]:
        """Return two (M, D + 2) arrays whose rows have the mean likeness of two groups as inner product."""
        mean = self.descriptors[numbers] / self.size[numbers, None]
        half = (self.strangers[numbers] / self.size[numbers] / 2)[:, None]
        one = np.ones_like(half)
        return np.hstack([mean, -half, one]), np.hstack([mean, one, -half])


def agglomerate(means: GroupMeans, groups: Groups, among: Int64Array, limit: float, threads: int) -> None:
    """Join groups until no two that may be joined have a mean likeness of `limit` or more.

    Args:
        means: of all groups; changed.
        groups: the groups; changed.
        among: numbers of the groups that take part.
        limit: smallest mean likeness of the pairs between two groups that are joined.
        threads: of the search.
    """
    moving = among
    while len(moving) > 1:
        one, other, score = _candidates(means, groups, moving, limit, threads)
        pairs = _mutual(one, other, score)
        if not len(pairs):
            return
        for a, b in pairs:
            kept = groups.join(int(a), int(b))
            means.move(int(a) if kept == b else int(b), kept)
        moving = np.unique(np.concatenate([one, other]))
        moving = moving[means.size[moving] > 0]


def _candidates(
    means: GroupMeans, groups: Groups, moving: Int64Array, limit: float, threads: int
) -> tuple[Int64Array, Int64Array, Float64Array]:
    """Return pairs of groups that may be joined, each once, and their likeness: (E,) lower number, higher, score."""
    vectors, queries = means.sides(moving)
    found = nearest(vectors, queries, _NEIGHBOURS + 1, threads)
    source = np.repeat(np.arange(len(moving)), found.number.shape[1])
    target, score = found.number.ravel(), found.score.ravel().astype(np.float64)
    kept = (target >= 0) & (target != source) & (score >= limit)
    source, target, score = moving[source[kept]], moving[target[kept]], score[kept]
    low, high = np.minimum(source, target), np.maximum(source, target)
    _, first = np.unique(np.stack([low, high], axis=1), axis=0, return_index=True)
    allowed = np.array([groups.may_join(int(low[k]), int(high[k])) for k in first], dtype=np.bool_)
    first = first[allowed]
    return low[first], high[first], score[first]


def _mutual(one: Int64Array, other: Int64Array, score: Float64Array) -> Int64Array:
    """Return (P, 2) pairs that are the best of both of their groups; equal scores are ordered by number."""
    order = np.lexsort((other, one, -score))
    one, other = one[order], other[order]
    ends = np.concatenate([one, other])
    place = np.tile(np.arange(len(one)), 2)
    numbers, at = np.unique(ends, return_inverse=True)
    best = np.full(len(numbers), len(one), dtype=np.int64)
    np.minimum.at(best, at, place)
    n = len(one)
    mutual = np.flatnonzero((best[at[:n]] == np.arange(n)) & (best[at[n:]] == np.arange(n)))
    return np.stack([one[mutual], other[mutual]], axis=1)
