"""Which videos lie in one file: those whose ids begin with the same bits, as many as the size of a file allows.

A file that would become too large is divided by the next bit. So the division follows from the videos and their sizes
alone, in whatever order they came, and another video touches the one file that it belongs to.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

__all__ = ["Leaf", "Weights", "bits_of", "leaves"]

_N_BITS = 192
"""More than any id has: 64 of its file's content, 56 of where a stretch of it begins and ends."""

Weights = Mapping[str, int]
"""By video id, the bytes that a video adds to a file."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Videos that lie in one file."""

    prefix: str
    """The leading bits of their ids: zeros and ones; empty where one file holds all."""
    videos: tuple[str, ...]
    """Their ids, sorted."""


def bits_of(video_id: str) -> str:
    """Return the bits of an id: four for each of its hex digits, other characters have none.

    >>> bits_of("a3")[:8]
    '10100011'
    """
    digits = [character for character in video_id if character in "0123456789abcdef"]
    return "".join(f"{int(digit, 16):04b}" for digit in digits).ljust(_N_BITS, "0")[:_N_BITS]


def leaves(weights: Weights, limit: int, prefix: str = "") -> list[Leaf]:
    """Divide videos into files of at most `limit` bytes; a single video that has more is a file of its own.

    Args:
        weights: bytes by video id.
        limit: most bytes of a file.
        prefix: bits that all ids begin with.

    Returns:
        In the order of their prefixes, which is that of the ids; none of them is empty.

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
