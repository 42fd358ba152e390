"""The 25 Hz clock that every table shares.

Tick ``k`` of a video is at ``k / 25`` s after its first video frame. A span of ticks is half open: ``[first, end)``
covers the time from ``first / 25`` s to ``end / 25`` s. Rates are ``Fraction`` because 30000/1001 exists.
"""

import dataclasses
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from foundation.array_types import Int64Array

__all__ = [
    "AUDIO_RATE_HZ",
    "SAMPLES_PER_TICK",
    "TICK_RATE_HZ",
    "TickRange",
    "Window",
    "seconds_of_tick",
    "tick_count",
    "ticks_of",
]

TickRange = tuple[int, int]
"""Ticks ``[first, end)`` of a video."""


def ticks_of(stretches: Iterable[TickRange]) -> Int64Array:
    """Return the ticks of ranges that do not overlap, in ascending order.

    >>> ticks_of([(0, 2), (5, 7)])
    array([0, 1, 5, 6])
    """
    return np.concatenate([np.arange(first, end, dtype=np.int64) for first, end in stretches])


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Ticks ``[first_tick, end_tick)`` of a video."""

    first_tick: int
    end_tick: int

    @property
    def n_ticks(self) -> int:
        """Number of ticks."""
        return self.end_tick - self.first_tick

    @property
    def ticks(self) -> TickRange:
        """The same as a range."""
        return self.first_tick, self.end_tick


TICK_RATE_HZ = Fraction(25)
"""Ticks per second of every table and every rendered clip (GAIA appendix B trains on 25 fps video)."""

AUDIO_RATE_HZ = 16_000
"""Samples per second of all audio after decoding, as Silero VAD, wav2vec 2.0 and Whisper require."""

SAMPLES_PER_TICK = int(AUDIO_RATE_HZ / TICK_RATE_HZ)
"""Audio samples per tick: 640, a whole number, so that every tick begins at a sample."""


def tick_count(duration_s: float | Fraction) -> int:
    """Return the number of ticks of a video of `duration_s` seconds: the nearest whole number, at least 1.

    >>> tick_count(2.0), tick_count(0.01), tick_count(Fraction(1001, 30000) * 30)
    (50, 1, 25)
    """
    return max(1, round(Fraction(duration_s) * TICK_RATE_HZ))


def seconds_of_tick(tick: int) -> float:
    """Return the time of `tick` in seconds after the first video frame.

    >>> seconds_of_tick(30)
    1.2
    """
    return float(tick / TICK_RATE_HZ)
