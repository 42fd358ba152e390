"""Prefix tree: assign videos to packed files by the leading bits of their ids.

A file that would become too large is divided by the next bit. The division depends only on the videos and their sizes,
not on their order, and a new video changes only the file that it belongs to.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["Leaf", "Weights", "bits_of", "leaves"]

_N_BITS = 192
"""Upper bound on the bits of an id: 64 from the content of its file, 56 from the limits of a range of it."""

Weights = Mapping[str, int]
"""Bytes that each video adds to a file, by video id."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Videos of one file."""

    prefix: str
    """Leading bits of their ids, as zeros and ones; empty if one file holds all videos."""
    videos: tuple[str, ...]
    """Their ids, sorted."""


def bits_of(video_id: str) -> str:
    """Return the bits of an id: four for each hex digit, none for other characters.

    >>> bits_of("a3")[:8]
    '10100011'
    """
    digits = [character for character in video_id if character in "0123456789abcdef"]
    return "".join(f"{int(digit, 16):04b}" for digit in digits).ljust(_N_BITS, "0")[:_N_BITS]


def leaves(weights: Weights, limit: int, prefix: str = "") -> list[Leaf]:
    """Divide videos into files of at most `limit` bytes; a larger video gets a file of its own.

    Args:
        weights: bytes by video id.
        limit: largest size of a file in bytes.
        prefix: bits that all ids begin with.

    Returns:
        The files in the order of their prefixes, which is the order of the ids; none is empty.

    >>> [leaf.prefix for leaf in leaves({"00": 5, "40": 5, "80": 4, "c0": 4}, limit=8)]
    ['00', '01', '1']
    """
    order = sorted((bits_of(video_id), video_id) for video_id in weights)
    below = list(accumulate((weights[video_id] for _, video_id in order), initial=0))

    def divided(first: int, end: int, prefix: str) -> Iterator[Leaf]:
        if first == end:
            return
        if below[end] - below[first] <= limit or order[first][0] == order[end - 1][0]:
            yield Leaf(prefix, tuple(sorted(video_id for _, video_id in order[first:end])))
            return
        middle = bisect_left(order, (f"{prefix}1", ""), first, end)
        yield from divided(first, middle, f"{prefix}0")
        yield from divided(middle, end, f"{prefix}1")

    return list(divided(0, len(order), prefix))
