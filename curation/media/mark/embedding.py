"""Put a mark into frames: waves in luma, weaker where the picture is flat or dark."""

from collections.abc import Iterable, Iterator

import numpy as np

from curation.media.mark.carriers import HIGHEST, SYMBOL_FRAMES, SYMBOLS, carriers, rise_and_fall
from curation.media.mark.mark_code import encoded_id
from foundation.array_types import Complex64Array, Float32Array, Int64Array, RgbImage

__all__ = ["marked"]

_LEVELS = 1.75
"""Root mean square of what is added, over all pixels and frames: 43.2 dB below white; 40.2 dB in the worst frame."""

_MASK_PX = 128
"""Shorter side at which the picture is looked at for its masking."""


def marked(frames: Iterable[RgbImage], mark_id: int) -> Iterator[RgbImage]:
    """Yield the frames with the mark of an id, one at a time; the first one begins a symbol.

    Args:
        frames: (H, W, 3) each, all of one size, 25 a second.
        mark_id: 48 bits.
    """
    amplitudes = carriers().numbers(encoded_id(mark_id))
    over_time = _LEVELS * rise_and_fall()
    patterns: dict[int, Float32Array] = {}
    for number, frame in enumerate(frames):
        symbol = number // SYMBOL_FRAMES % SYMBOLS
        if symbol not in patterns:
            patterns[symbol] = _pattern(amplitudes[symbol], *frame.shape[:2])
        added = np.float32(over_time[number % SYMBOL_FRAMES]) * patterns[symbol] * _visibility(frame)
        yield np.clip(np.rint(frame + added[..., None]), 0.0, 255.0).astype(np.uint8)


def _pattern(amplitudes: Complex64Array, height: int, width: int) -> Float32Array:
    """Return the (height, width) sum of the waves, of mean square 1; they begin at the middle of the picture."""
    waves = carriers().waves
    spectrum = np.zeros((2 * HIGHEST + 1, HIGHEST + 1), np.complex64)
    spectrum[waves[:, 0] + HIGHEST, waves[:, 1]] = amplitudes
    side = min(height, width)
    down = _phases(height, side, np.arange(-HIGHEST, HIGHEST + 1))
    across = _phases(width, side, np.arange(HIGHEST + 1))
    pattern = (down @ spectrum @ across.T).real
    return np.asarray(pattern / pattern.std(), np.float32)


def _phases(length: int, side: int, waves: Int64Array) -> Complex64Array:
    """Return (length, K) phases of waves over `side` pixels at the middles of pixels, counted from the middle."""
    places = (np.arange(length) + 0.5 - length / 2) / side
    return np.asarray(np.exp(2j * np.pi * np.outer(places, waves)).astype(np.complex64))


def _visibility(frame: RgbImage) -> Float32Array:
    """Return the (H, W) factor of the mark, of mean square 1: larger where texture hides it, smaller in the dark."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(1.0, _MASK_PX / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    luma = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.GaussianBlur(luma, (0, 0), 2.0)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(luma * luma, (0, 0), 2.0) - mean * mean, 0.0))
    factor = np.clip(0.6 + deviation / 20.0, 0.6, 1.6) * np.clip(0.5 + mean / 120.0, 0.6, 1.2)
    factor = cv2.GaussianBlur(factor.astype(np.float32), (0, 0), 3.0)
    factor = cv2.resize(factor, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(factor / np.sqrt(np.mean(factor * factor)), np.float32)
