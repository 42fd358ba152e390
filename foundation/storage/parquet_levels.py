"""Levels of a Parquet column: which numbers lie in which list, and which are there.

They are runs of one level, and groups of eight levels, after parquet-format's `Encodings.md` ("RLE/Bit-Packing
Hybrid"). A column of arrays has the same levels as every other array of its shape.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foundation.storage.parquet_pages import long_number

__all__ = ["OtherBytesError", "require", "require_all_present", "require_array"]

_LEVEL_BITS = 2
"""Bits of a repetition level of two or three nested lists."""

_FOUR_LEVELS = (
    np.stack([np.arange(256) >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).astype(np.uint8).view(np.uint32)[:, 0]
)
"""By the value of a byte, the four levels in it, as one number of four bytes."""

_KNOWN = 4096
"""Encodings of levels that are remembered."""


class OtherBytesError(Exception):
    """A column is not as this software writes it."""


def require(holds: bool | np.bool_) -> None:
    """Refuse a column for which something does not hold.

    Raises:
        OtherBytesError: it does not.
    """
    if not holds:
        raise OtherBytesError


_known_levels: OrderedDict[tuple[bytes, tuple[int, ...]], None] = OrderedDict()
"""Digests of encodings of levels that were found to be those of arrays, and the shapes of these.

Levels depend on the shape alone, and take a third of the time of a clip's landmarks to decode.
"""


def require_array(encoded: Sequence[tuple[bytes, int]], shape: tuple[int, ...]) -> None:
    """Require repetition levels of an array.

    Args:
        encoded: of each page, its levels and how many they are.
        shape: of the array.

    Raises:
        OtherBytesError: they are those of lists of different lengths, or of another shape.
        ValueError, IndexError: they end too soon.
    """
    digest = hashlib.sha256(usedforsecurity=False)
    for levels, n_values in encoded:
        digest.update(b"%d %d " % (n_values, len(levels)))
        digest.update(levels)
    known = (digest.digest(), shape)
    if known in _known_levels:
        return
    _require_levels(np.concatenate([_levels(levels, n_values) for levels, n_values in encoded]).reshape(shape))
    _known_levels[known] = None
    if len(_known_levels) > _KNOWN:
        _known_levels.popitem(last=False)


def _require_levels(levels: npt.NDArray[np.uint8]) -> None:
    """Require repetition levels of an array: each is the number of lists, from outside, that go on at its number."""
    shape = levels.shape
    expected = np.full(shape[1:], len(shape), np.uint8)
    for level in reversed(range(1, len(shape))):
        expected[(...,) + (0,) * (len(shape) - level)] = level
    require(levels.flat[0] == 0)
    levels.flat[0] = 1
    require((levels == expected).all())


def require_all_present(encoded: bytes, n_values: int, present: int) -> None:
    """Require definition levels of numbers that are all there: one run of one level.

    Args:
        encoded: the levels.
        n_values: how many they are.
        present: the level of a number that is there.

    Raises:
        OtherBytesError: they are others.
        IndexError: they end too soon.
    """
    header, at = long_number(encoded, 0)
    require(header == n_values << 1 and len(encoded) == at + 1 and encoded[at] == present)


def _levels(encoded: bytes, n_values: int) -> npt.NDArray[np.uint8]:
    """Return (n_values,) repetition levels: runs of one level, and groups of eight levels of two bits."""
    found = np.empty(n_values + 7, np.uint8)
    content = np.frombuffer(encoded, np.uint8)
    at = done = 0
    while done < n_values:
        header, first = long_number(encoded, at)
        count = header >> 1
        if header & 1:
            n_bytes = _LEVEL_BITS * count
            # many runs of the same length follow each other: all are taken at once
            runs = _equal_runs(content[at:], first - at, n_bytes)
            levels = _FOUR_LEVELS[runs[:, first - at :].ravel()].view(np.uint8)
            at += runs.size
            require(0 < len(levels) < n_values - done + 8)  # the last group may be larger than what is left
            count = len(levels)
            found[done : done + count] = levels
        else:
            require(0 < count <= n_values - done)
            found[done : done + count] = encoded[first]
            at = first + 1
        done += count
    require(at == len(encoded))
    return found[:n_values]


def _equal_runs(content: npt.NDArray[np.uint8], header: int, n_bytes: int) -> npt.NDArray[np.uint8]:
    """Return (runs, header + n_bytes) the runs at the beginning that have the same header, one of them at least."""
    length = header + n_bytes
    require(length <= len(content))
    if header > 1:
        return content[None, :length]
    runs = content[: len(content) // length * length].reshape(-1, length)
    others = np.flatnonzero(runs[:, 0] != runs[0, 0])
    return runs[: others[0]] if len(others) else runs
