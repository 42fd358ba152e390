"""Ids of persons: hashes of a member, so that they say nothing, and kept by later clusterings."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from foundation.array_types import Int64Array

__all__ = ["group_ids"]

_DIGITS = 16


def group_ids(
    groups: Int64Array, keys: Sequence[tuple[str, int]], before: Mapping[tuple[str, int], str], letter: str
) -> list[str]:
    """Return the id of each item's group.

    A group takes the id that most of its members had before. Where several groups would take one id, the one with the
    most members of it does. Every other group gets a new id, which follows from its first member.

    Args:
        groups: (N,) group of each item.
        keys: video id and track id of each item.
        before: by key, the id of an earlier clustering.
        letter: first letter of new ids.
    """
    votes = Counter((before[key], group) for key, group in zip(keys, groups.tolist(), strict=True) if key in before)
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for (known, group), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if group not in ids and known not in taken:
            ids[group] = known
            taken.add(known)
    taken.update(before.values())  # an id that no group kept is not given to others
    for key, group in sorted(zip(keys, groups.tolist(), strict=True)):
        if group not in ids:
            ids[group] = _new_id(key, letter, taken)
            taken.add(ids[group])
    return [ids[group] for group in groups.tolist()]


def _new_id(key: tuple[str, int], letter: str, taken: set[str]) -> str:
    attempt = 0
    while True:
        text = f"{key[0]} {key[1]} {attempt}"
        name = f"{letter}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"
        if name not in taken:
            return name
        attempt += 1
