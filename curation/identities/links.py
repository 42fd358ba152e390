"""Must-links and cannot-links between items, and which groups they allow to become one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from foundation.array_types import Int64Array

__all__ = ["Groups", "joined"]

Pair = tuple[int, int]


class Groups:
    """Groups of items that grow by joining, and the pairs of groups that must stay apart."""

    def __init__(self, n_items: int, apart: Iterable[Pair] = ()) -> None:
        """Put each item into a group of its own.

        Args:
            n_items: number of items.
            apart: pairs of items that must stay in different groups.
        """
        self._parent = np.arange(n_items, dtype=np.int64)
        self._apart: dict[int, set[int]] = defaultdict(set)
        for one, other in apart:
            self._apart[one].add(other)
            self._apart[other].add(one)

    def of(self, item: int) -> int:
        """Return the group of an item: the number of one of its members."""
        root = item
        while self._parent[root] != root:
            root = int(self._parent[root])
        while self._parent[item] != root:
            item, self._parent[item] = int(self._parent[item]), root
        return root

    def all(self) -> Int64Array:
        """Return the (N,) group of every item."""
        return np.array([self.of(item) for item in range(len(self._parent))], dtype=np.int64)

    def may_join(self, one: int, other: int) -> bool:
        """Return whether two items may be in one group."""
        one, other = self.of(one), self.of(other)
        return one == other or other not in self._apart.get(one, ())

    def join(self, one: int, other: int) -> int:
        """Make the groups of two items one, whatever must stay apart, and return it."""
        one, other = self.of(one), self.of(other)
        if one == other:
            return one
        kept, gone = min(one, other), max(one, other)
        self._parent[gone] = kept
        for enemy in self._apart.pop(gone, ()):
            self._apart[enemy].discard(gone)
            if enemy != kept:
                self._apart[enemy].add(kept)
                self._apart[kept].add(enemy)
        return kept


def joined(groups: Groups, together: Sequence[Pair]) -> list[Pair]:
    """Join the groups of pairs that must be together, and return the pairs that must also stay apart.

    Such a pair is left apart: the caller says what contradicts what.
    """
    refused = []
    for one, other in together:
        if groups.may_join(one, other):
            groups.join(one, other)
        else:
            refused.append((one, other))
    return refused
