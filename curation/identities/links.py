"""Groups of items that grow by joining, and which of them must stay apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from foundation.array_types import BoolArray, Int64Array

__all__ = ["Groups", "Pair"]

Pair = tuple[int, int]
"""Numbers of two items."""


class Groups:
    """Groups of N items. A group has the lowest number of its members."""

    def __init__(
        self, n_items: int, apart: Iterable[Pair] = (), labels: Mapping[int, tuple[str, str]] | None = None
    ) -> None:
        """Put each item into a group of its own.

        Args:
            n_items: number of items.
            apart: pairs of items that must stay in different groups.
            labels: by item, a kind and a label: items of one kind and different labels must stay in different groups.
        """
        self._group = np.arange(n_items, dtype=np.int64)
        self._apart: dict[int, set[int]] = defaultdict(set)
        self._labels: dict[int, set[tuple[str, str]]] = {}
        self._restricted = np.zeros(n_items, dtype=np.bool_)
        for one, other in apart:
            self._keep_apart(one, other)
        for item, label in (labels or {}).items():
            self._labels[item] = {label}
            self._restricted[item] = True

    def all(self) -> Int64Array:
        """Return the (N,) group of every item."""
        while True:
            above = self._group[self._group]
            if np.array_equal(above, self._group):
                return self._group.copy()
            self._group = above

    def of(self, item: int) -> int:
        """Return the group of an item."""
        while self._group[item] != item:
            item = int(self._group[item])
        return item

    def restricted(self, groups: Int64Array) -> BoolArray:
        """Return for (M,) groups whether there may be any that they must not be joined with."""
        return self._restricted[groups]

    def may_join(self, one: int, other: int) -> bool:
        """Return whether two items may be in one group."""
        one, other = self.of(one), self.of(other)
        if one == other:
            return True
        if other in self._apart.get(one, ()):
            return False
        ours, theirs = self._labels.get(one), self._labels.get(other)
        if not ours or not theirs or ours & theirs:
            return True
        return not {kind for kind, _ in ours} & {kind for kind, _ in theirs}

    def join(self, pairs: Int64Array) -> None:
        """Make (P, 2) pairs of groups one each, the lower number first; no group is in two pairs."""
        self._group[pairs[:, 1]] = pairs[:, 0]
        for kept, gone in pairs[self._restricted[pairs[:, 1]]].tolist():
            for other in self._apart.pop(gone, ()):
                self._apart[other].discard(gone)
                self._keep_apart(kept, other)
            if gone in self._labels:
                self._labels[kept] = self._labels.get(kept, set()) | self._labels.pop(gone)
                self._restricted[kept] = True

    def join_all(self, together: Sequence[Pair], *, whatever: bool = False) -> list[Pair]:
        """Join items that must be together, and return those pairs that must also stay apart, which they do.

        Args:
            together: the pairs.
            whatever: join these too.
        """
        refused = []
        for pair in together:
            one, other = sorted(self.of(item) for item in pair)
            if one == other:
                continue
            if whatever or self.may_join(one, other):
                self.join(np.array([[one, other]]))
            else:
                refused.append(pair)
        return refused

    def _keep_apart(self, one: int, other: int) -> None:
        self._apart[one].add(other)
        self._apart[other].add(one)
        self._restricted[[one, other]] = True
