"""The public key of the mark: spatial waves, their signs in each symbol, and which bit each of them carries.

The luma of a marked picture has waves of 2.5 to 12 cycles over its shorter side. In time each wave rises and falls by
one period of a sine, a symbol of 10 frames (0.4 s), so that what stands still in the picture cancels. Sign and bit of
each wave follow from SHA-256 of a known text, anew for each of 8 symbols, after which they repeat. Whoever reads this
can find a mark, forge it or remove it: it tells where a video comes from, and protects nothing.
"""

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

from curation.media.mark.mark_code import CODED_BITS
from foundation.array_types import Complex64Array, Float64Array, Int8Array, Int64Array

__all__ = ["HIGHEST", "SYMBOLS", "SYMBOL_FRAMES", "Carriers", "carriers", "rise_and_fall"]

SYMBOL_FRAMES = 10
"""Frames of a symbol, 25 a second."""

SYMBOLS = 8
"""Symbols before the signs repeat."""

_LOWEST = 2.5
"""Cycles over the shorter side of the picture: below it faces and lamps change most."""

HIGHEST = 12
"""Likewise: above it, pictures of half the size lose the waves to the encoder."""

_PILOT_SHARE = 8
"""One in so many numbers of a symbol carries no bit, but shows where the mark lies."""

_KEY = b"gaia-avatar mark 1"


@dataclass(frozen=True, kw_only=True, eq=False)
class Carriers:
    """Waves and their roles; C waves have 2 C numbers, in pairs of a real and an imaginary part."""

    waves: Int64Array
    """(C, 2) cycles down and across the shorter side, one of each pair of opposites."""
    signs: Int8Array
    """(SYMBOLS, 2 C) 1 or -1."""
    bits: Int64Array
    """(SYMBOLS, 2 C) number of the coded bit that a number carries; -1: none, it is a pilot."""

    @property
    def pilots(self) -> Complex64Array:
        """(SYMBOLS, C) signs of the pilots, 0 for the other numbers."""
        return _paired(np.where(self.bits < 0, self.signs, 0))

    def numbers(self, coded: Int8Array) -> Complex64Array:
        """Return the (SYMBOLS, C) amplitudes of the waves for (CODED_BITS,) signs of `encoded_id`."""
        return _paired(np.where(self.bits < 0, 1, coded[self.bits]) * self.signs)


def _paired(values: Int8Array) -> Complex64Array:
    return (values[:, 0::2] + 1j * values[:, 1::2]).astype(np.complex64)


@cache
def carriers() -> Carriers:
    """Return the carriers of the mark; always the same."""
    grid = np.stack(np.meshgrid(np.arange(-HIGHEST, HIGHEST + 1), np.arange(HIGHEST + 1), indexing="ij"), axis=-1)
    waves = grid.reshape(-1, 2)
    length = np.hypot(*waves.T)
    half = (waves[:, 1] > 0) | (waves[:, 0] > 0)
    waves = waves[(length >= _LOWEST) & (length <= HIGHEST) & half]
    n_numbers = 2 * len(waves)
    n_pilots = n_numbers // _PILOT_SHARE
    signs = np.empty((SYMBOLS, n_numbers), np.int8)
    bits = np.full((SYMBOLS, n_numbers), -1)
    for symbol in range(SYMBOLS):
        drawn = _drawn(symbol, 2 * n_numbers + CODED_BITS)
        signs[symbol] = np.where(drawn[:n_numbers] & 1, 1, -1)
        with_bits = np.argsort(drawn[n_numbers : 2 * n_numbers], kind="stable")[n_pilots:]
        order = np.argsort(drawn[2 * n_numbers :], kind="stable")
        bits[symbol, with_bits] = np.resize(order, len(with_bits))
    return Carriers(waves=waves, signs=signs, bits=bits)


def _drawn(symbol: int, n_words: int) -> Int64Array:
    """Return words of 31 bits: of SHA-256 of the key, the symbol and a counter, big-endian, without their signs."""
    digests = (hashlib.sha256(b"%b, symbol %d, block %d" % (_KEY, symbol, block)) for block in range(-(-n_words // 8)))
    words = np.frombuffer(b"".join(digest.digest() for digest in digests), ">u4")
    return (words[:n_words] & 0x7FFFFFFF).astype(np.int64)


def rise_and_fall() -> Float64Array:
    """Return the (SYMBOL_FRAMES,) amplitudes of a symbol over time, of mean square 1: a period of a sine."""
    moments = (np.arange(SYMBOL_FRAMES) + 0.5) / SYMBOL_FRAMES
    return np.sqrt(2.0) * np.sin(2.0 * np.pi * moments)
