"""Random numbers as functions of names: the run's seed, a purpose, and the sample or step.

No generator has a state that a checkpoint would have to hold. A run that is resumed on another number of ranks or
loader processes draws the same numbers. Their algorithms (BLAKE2b, the mixing of SplitMix64) are fixed, which NumPy and
Python do not promise of their generators.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import torch

from foundation.array_types import Int64Array

__all__ = ["draw_below", "draw_share", "permuted", "seed_of", "torch_generator"]

UInt64Array = npt.NDArray[np.uint64]

_ROUNDS = 8
"""Rounds of the Feistel network in `permuted`; four suffice for large sets (Luby and Rackoff, 1988)."""


def seed_of(*parts: int | str) -> int:
    """Return the 64-bit hash of `parts`, such as the run's seed, the name of a stream of numbers, step and sample.

    >>> seed_of(7, "noise", 12) == seed_of(7, "noise", 12)
    True
    >>> seed_of(7, "noise", 12) == seed_of(7, "noise", 1, 2)
    False
    """
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        # type and length precede each part, so that no two lists of parts give the same bytes
        text = str(part).encode()
        hashed.update(b"%c%d:%b" % (b"s" if isinstance(part, str) else b"i", len(text), text))
    return int.from_bytes(hashed.digest(), "big")


def torch_generator(*parts: int | str) -> torch.Generator:
    """Return a generator on the CPU seeded with `seed_of(*parts)`.

    Numbers for a GPU are drawn here and moved there, so that they do not depend on the card.
    """
    return torch.Generator().manual_seed(seed_of(*parts))


def draw_below(limit: int, *parts: int | str) -> int:
    """Return an integer, uniform over 0 to `limit` - 1, as a function of `parts`."""
    return seed_of(*parts) % limit  # off from uniform by limit / 2^64


def draw_share(*parts: int | str) -> float:
    """Return a number, uniform in [0, 1), as a function of `parts`."""
    return (seed_of(*parts) >> 11) * 2.0**-53


def permuted(positions: Int64Array, n: int, *parts: int | str) -> Int64Array:
    """Return the values at `positions` of a permutation of 0 to n - 1 that is a function of `parts`.

    Only these values are computed (by a Feistel network; results beyond n pass through it again), so that the order of
    a hundred million frames takes neither memory nor time in advance.

    Args:
        positions: (P,) each at least 0 and below `n`.
        n: length of the permutation, at least 1.
        parts: arguments of the function, such as seed and epoch.
    """
    half_bits = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = [np.uint64(seed_of(*parts, "round", number)) for number in range(_ROUNDS)]
    values = _feistel(positions.astype(np.uint64), half_bits, keys)
    while (beyond := values >= n).any():
        values[beyond] = _feistel(values[beyond], half_bits, keys)
    return values.astype(np.int64)


def _feistel(values: UInt64Array, half_bits: int, keys: list[np.uint64]) -> UInt64Array:
    """Permute the numbers of 2 `half_bits` bits."""
    bits, mask = np.uint64(half_bits), np.uint64((1 << half_bits) - 1)
    left, right = values >> bits, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << bits) | right


def _mixed(values: UInt64Array) -> UInt64Array:
    """Return the numbers with their bits mixed: the last step of SplitMix64 (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
