"""Agglomerative clustering with average linkage, for a million items, under must-links and cannot-links.

The mean cosine of all pairs between two groups is the inner product of their mean vectors, so that a nearest-neighbour
search among the means finds, for each group, those that it is most like. Two groups that are each other's nearest are
joined, all such pairs at a time, and the means of those that were found are compared anew; when none is left, what is
still in motion is searched again. Average linkage allows this: whatever else is joined meanwhile, the two remain each
other's nearest (Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The Computer Journal,
1983). So this ends with the groups that the usual algorithm makes one pair at a time, as far as the search misses no
neighbour and no cannot-link intervenes. A group without a neighbour above the limit will never have one, and is
searched no more.
"""

import numpy as np

from curation.identities.links import Groups
from curation.identities.nearest import Neighbours, nearest
from foundation.array_types import BoolArray, Float32Array, Float64Array, Int64Array

__all__ = ["GroupMeans", "agglomerate", "unit"]

_PAIRS_AT_A_TIME = 262_144

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
        means: Float32Array = (self._sums[groups] / self.size[groups, None].astype(np.float32)).astype(np.float32)
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
        pairs = _near_pairs(nearest(means.of(moving), _NEIGHBOURS, threads=threads), moving, limit)
        moving = np.unique(pairs)
        if not _join_among(pairs, means, groups, limit):
            return
        moving = np.unique(groups.all()[moving])


def _near_pairs(found: Neighbours, moving: Int64Array, limit: float) -> Int64Array:
    """Return (E, 2) pairs of groups, the lower number first, one of which has the other among its neighbours."""
    near = (found.number >= 0) & (found.number != np.arange(len(moving))[:, None]) & (found.score >= limit)
    rows, columns = np.nonzero(near)
    return np.stack([moving[rows], moving[found.number[rows, columns]]], axis=1)


def _join_among(pairs: Int64Array, means: GroupMeans, groups: Groups, limit: float) -> bool:
    """Join the groups of pairs, mutual nearest first, until none is left to be joined; return whether any was."""
    score = np.zeros(0)
    changed = np.ones(len(means.size), dtype=np.bool_)
    group = groups.all()
    any_joined = False
    while True:
        pairs, score = _current(group[pairs], score, changed, means, groups)
        near = score >= limit
        pairs, score = pairs[near], score[near]
        mutual = pairs[_mutual(pairs, score)]
        if not len(mutual):
            return any_joined
        any_joined = True
        groups.join(mutual)
        means.join(mutual)
        group[mutual[:, 1]] = mutual[:, 0]
        changed[:] = False
        changed[mutual[:, 0]] = True


def _current(
    pairs: Int64Array, score: Float64Array, changed: BoolArray, means: GroupMeans, groups: Groups
) -> tuple[Int64Array, Float64Array]:
    """Return pairs of groups that may be joined, each once, and their mean cosines.

    Args:
        pairs: (E, 2) groups.
        score: (E,) their mean cosines before the last joins; (0,) where there were none.
        changed: (N,) which groups have new means.
        means: of the groups.
        groups: the groups.
    """
    pairs = np.sort(pairs, axis=1)
    _, first = np.unique(pairs[:, 0] * len(means.size) + pairs[:, 1], return_index=True)
    pairs = pairs[first]
    score = score[first] if len(score) else np.zeros(len(pairs))
    usable = pairs[:, 0] != pairs[:, 1]
    for row in np.flatnonzero(usable & groups.restricted(pairs).all(axis=1)).tolist():
        usable[row] = groups.may_join(*pairs[row].tolist())
    pairs, score = pairs[usable], score[usable]
    anew = np.flatnonzero(changed[pairs].any(axis=1))
    for start in range(0, len(anew), _PAIRS_AT_A_TIME):
        part = anew[start : start + _PAIRS_AT_A_TIME]
        score[part] = np.einsum("nd,nd->n", means.of(pairs[part, 0]), means.of(pairs[part, 1]))
    return pairs, score


def _mutual(pairs: Int64Array, score: Float64Array) -> Int64Array:
    """Return the places of the pairs that are the best of both of their groups; equal scores are ordered by number."""
    if not len(pairs):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -score))
    best = np.full(int(pairs.max()) + 1, len(order), dtype=np.int64)
    place = np.arange(len(order))
    for end in (0, 1):
        np.minimum.at(best, pairs[order, end], place)
    mutual: Int64Array = order[(best[pairs[order]] == place[:, None]).all(axis=1)]
    return mutual
