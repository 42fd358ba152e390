"""Find where a mark lies in a video, by its pilots: scale, shift, and the frame at which its symbols begin.

Letters of shapes: T frames, N symbols, H and W sides of small pictures, C waves, M side of the grid of shifts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from curation.media.mark.carriers import HIGHEST, SYMBOL_FRAMES, SYMBOLS, carriers, rise_and_fall
from curation.media.mark.mark_code import CODED_BITS
from foundation.array_types import Complex64Array, Float32Array, Float64Array

__all__ = ["SMALL_PX", "Place", "bits_at", "places"]

SMALL_PX = 48
"""Shorter side of the pictures that are searched: four pixels for the shortest wave."""

_GRID = 48
"""Shifts tried along a side."""

_SCALES = tuple(1.0 + 0.02 * step for step in range(16))
"""Shorter side of the marked picture over that of the one found: up to 1.3, as cropping leaves it."""

_CANDIDATES = 4
"""Best places that are looked at closely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A place at which the mark may lie, and how well the pilots fit there."""

    down: float
    """Length over which waves down the picture have their cycles, over the shorter side of the picture."""
    across: float
    """Likewise, across."""
    shift_down: float
    """Middle of the marked picture below that of the picture found, over `down`."""
    shift_across: float
    """Likewise to the right, over `across`."""
    first_frame: int
    """Frame at which a symbol begins, 0 to SYMBOL_FRAMES - 1."""
    first_symbol: int
    """Number of that symbol."""
    score: float
    """Correlation with the pilots over its standard deviation without a mark."""


def places(luma: Float32Array) -> list[Place]:
    """Return the places at which the pilots fit best, the best one first.

    Args:
        luma: (T, H, W) small pictures, 25 a second, the shorter side of SMALL_PX pixels, at least 20.
    """
    symbols_from = cache(partial(_demodulated, luma))
    found = [
        place
        for scale in _SCALES
        for first in range(0, SYMBOL_FRAMES, 2)
        for place in _at_scale(symbols_from(first), scale, first)
    ]
    found.sort(key=lambda place: -place.score)
    refined = [_refined(symbols_from, place) for place in found[:_CANDIDATES]]
    return sorted(refined, key=lambda place: -place.score)


def bits_at(luma: Float32Array, place: Place) -> Float64Array:
    """Return (CODED_BITS,) correlations with the coded bits of a mark at a place; standard deviation 1 without one."""
    key = carriers()
    numbers = _numbers(_demodulated(luma, place.first_frame), place)
    symbols = (np.arange(len(numbers)) + place.first_symbol) % SYMBOLS
    parts = np.empty((len(numbers), key.signs.shape[1]))
    parts[:, 0::2], parts[:, 1::2] = numbers.real, numbers.imag
    bits, values = key.bits[symbols], parts * key.signs[symbols]
    of_bit = bits >= 0
    total = np.bincount(bits[of_bit], values[of_bit], CODED_BITS)
    return total / np.sqrt(np.bincount(bits[of_bit], minlength=CODED_BITS) / 2.0)


def _demodulated(luma: Float32Array, first: int) -> Float32Array:
    """Return (N, H, W) pictures of the symbols from frame `first` on, less where and when the picture itself moves."""
    import cv2

    wave = rise_and_fall()
    steady = np.stack([np.ones(SYMBOL_FRAMES), np.arange(SYMBOL_FRAMES)], axis=1)
    wave -= steady @ np.linalg.lstsq(steady, wave, rcond=None)[0]  # a steady change of light is no mark
    count = (len(luma) - first) // SYMBOL_FRAMES
    frames = luma[first : first + count * SYMBOL_FRAMES].reshape(count, SYMBOL_FRAMES, *luma.shape[1:])
    pictures = np.einsum("nthw,t->nhw", frames, wave / np.linalg.norm(wave)).astype(np.float32)
    power = pictures * pictures
    usual = cv2.GaussianBlur(power.mean(axis=0), (0, 0), 1.1)
    noise = np.stack([0.7 * cv2.GaussianBlur(moment, (0, 0), 1.5) + 0.3 * usual for moment in power])
    weighted = pictures / (noise + 0.1 * np.median(noise, axis=(1, 2), keepdims=True) + 0.05)
    weighted /= np.sqrt(np.mean(weighted * weighted, axis=(1, 2), keepdims=True)) + 1e-9
    return np.asarray(np.clip(weighted, -4.0, 4.0))


def _at_scale(pictures: Float32Array, scale: float, first: int) -> list[Place]:
    """Return the best shift for each number of the first symbol."""
    key = carriers()
    numbers = _whitened(_projected(pictures, scale, scale))
    count = len(numbers)
    turned = np.arange(SYMBOLS)[:, None] + np.arange(count)
    products = np.einsum("nc,mnc->mc", numbers, key.pilots.conj()[turned % SYMBOLS])
    spectrum = np.zeros((SYMBOLS, _GRID, _GRID), np.complex64)
    spectrum[:, key.waves[:, 0] % _GRID, key.waves[:, 1]] = products
    fits = (np.fft.ifft2(spectrum).real * _GRID**2).reshape(SYMBOLS, -1)
    best = fits.argmax(axis=1)
    result = []
    for symbol, shift in enumerate(best.tolist()):
        down, across = (((part / _GRID + 0.5) % 1.0) - 0.5 for part in divmod(shift, _GRID))
        place = Place(
            down=scale,
            across=scale,
            shift_down=down,
            shift_across=across,
            first_frame=first,
            first_symbol=symbol,
            score=float(fits[symbol, shift]) / _spread(count, symbol),
        )
        result.append(place)
    return result


def _refined(symbols_from: Callable[[int], Float32Array], place: Place) -> Place:
    """Return the place after small moves of each of its numbers, as long as the pilots fit better."""
    best = replace(place, score=_score(symbols_from, place))
    for step in (1.0, 0.5):
        moves: dict[str, tuple[float, ...]] = {
            "first_frame": (-1, 1) if step == 1.0 else (),
            "down": (-0.01 * step, 0.01 * step),
            "across": (-0.01 * step, 0.01 * step),
            "shift_down": (-0.5 * step / _GRID, 0.5 * step / _GRID),
            "shift_across": (-0.5 * step / _GRID, 0.5 * step / _GRID),
        }
        for name, changes in moves.items():
            tried = [replace(best, **{name: getattr(best, name) + change}) for change in changes]
            tried = [replace(other, score=_score(symbols_from, other)) for other in tried if other.first_frame >= 0]
            best = max([best, *tried], key=lambda other: other.score)
    return best


def _score(symbols_from: Callable[[int], Float32Array], place: Place) -> float:
    numbers = _numbers(symbols_from(place.first_frame), place)
    symbols = (np.arange(len(numbers)) + place.first_symbol) % SYMBOLS
    fit = np.sum(numbers * carriers().pilots[symbols].conj()).real
    return float(fit) / _spread(len(numbers), place.first_symbol)


def _spread(count: int, first_symbol: int) -> float:
    """Return the standard deviation of the fit of `count` symbols to numbers of mean power 1 that hold no mark."""
    pilots = carriers().pilots[(np.arange(count) + first_symbol) % SYMBOLS]
    return float(np.sqrt(np.sum(np.abs(pilots) ** 2) / 2.0))


def _numbers(pictures: Float32Array, place: Place) -> Complex64Array:
    """Return the (N, C) numbers of the waves, as they would be without the shift."""
    waves = carriers().waves
    turn = np.exp(2j * np.pi * (waves @ np.array([place.shift_down, place.shift_across]))).astype(np.complex64)
    return np.asarray(_whitened(_projected(pictures, place.down, place.across)) * turn)


def _projected(pictures: Float32Array, down: float, across: float) -> Complex64Array:
    """Return (N, C) correlations of the pictures with the waves."""
    waves = carriers().waves
    height, width = pictures.shape[1:]
    rows = (np.arange(height) + 0.5 - height / 2) / (SMALL_PX * down)
    columns = (np.arange(width) + 0.5 - width / 2) / (SMALL_PX * across)
    from_rows = np.exp(-2j * np.pi * np.outer(np.arange(-HIGHEST, HIGHEST + 1), rows)).astype(np.complex64)
    from_columns = np.exp(-2j * np.pi * np.outer(columns, np.arange(HIGHEST + 1))).astype(np.complex64)
    correlations = from_rows @ pictures.astype(np.complex64) @ from_columns
    return np.asarray(correlations[:, waves[:, 0] + HIGHEST, waves[:, 1]], np.complex64)


def _whitened(numbers: Complex64Array) -> Complex64Array:
    """Return the numbers over their root mean square, wave length by wave length."""
    rings = np.rint(np.hypot(*carriers().waves.T)).astype(np.int64)
    power = np.bincount(rings, np.mean(np.abs(numbers) ** 2, axis=0)) / np.maximum(np.bincount(rings), 1)
    return np.asarray(numbers / np.sqrt(power[rings] + 1e-12), np.complex64)
