"""Division of speech into stretches of at most 30 s, at the quietest places, so that borders lie between words."""

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["LONGEST_STRETCH", "divided_at_pauses"]

LONGEST_STRETCH = 30 * AUDIO_RATE_HZ
"""Samples that Whisper hears at once."""

_USUAL = 25 * AUDIO_RATE_HZ
"""Samples of a stretch on average, at most."""

_SLACK = 5 * AUDIO_RATE_HZ
"""Samples by which a border may lie before or after the place of an even division."""

_STEP = AUDIO_RATE_HZ // 100

_PAUSE = 20 * _STEP
"""Samples over which quiet is measured: 0.2 s, longer than the closure of a plosive."""


def divided_at_pauses(audio_16k: Float32Array) -> list[tuple[int, int]]:
    """Return the stretches that speech is divided into, each of at most 30 s, as first sample and end.

    They are about even. A border is the middle of the quietest 0.2 s within 5 s of the place of an even division.

    Args:
        audio_16k: (S,) samples of 16 kHz mono.

    >>> divided_at_pauses(np.zeros(48_000, np.float32))
    [(0, 48000)]
    """
    start, stretches = 0, []
    while (left := audio_16k.size - start) > LONGEST_STRETCH:
        even = start + left // -(-left // _USUAL)
        border = _quietest(audio_16k, even - _SLACK, even + _SLACK)
        stretches.append((start, border))
        start = border
    return [*stretches, (start, audio_16k.size)]


def _quietest(audio_16k: Float32Array, first: int, end: int) -> int:
    """Return the middle of the quietest pause between two samples; of several, the one nearest to their middle."""
    part = audio_16k[first:end].astype(np.float64)
    power = np.square(part[: part.size // _STEP * _STEP]).reshape(-1, _STEP).mean(axis=1)
    mean_power: Float64Array = np.convolve(power, np.ones(_PAUSE // _STEP), mode="valid")
    middles = first + np.arange(mean_power.size) * _STEP + _PAUSE // 2
    # rounded, for sums of equal powers may differ in their last bits
    quiet = np.flatnonzero(mean_power <= mean_power.min() * (1 + 1e-9) + 1e-12)
    nearest = quiet[np.argmin(np.abs(middles[quiet] - (first + end) // 2))]
    return int(middles[nearest])
