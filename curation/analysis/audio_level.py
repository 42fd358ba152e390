"""Level of the audio per tick, in dB relative to full scale."""

import numpy as np

from foundation.array_types import Float32Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["LOUDNESS_FLOOR_DBFS", "tick_loudness_dbfs"]

LOUDNESS_FLOOR_DBFS = -100.0
"""The level of digital silence, and of anything quieter than it: below the noise of 16 bit audio, at -98 dBFS."""


def tick_loudness_dbfs(audio: Float32Array, n_ticks: int) -> Float32Array:
    """Return the RMS level of each tick's own 40 ms, in dBFS.

    0 dBFS is an RMS of 1, so that a full-scale sine is at -3.01 dBFS and a full-scale square wave at 0. The window is
    the tick itself, `[640 k, 640 (k + 1))`: long enough for three periods of the lowest voices (80 Hz), and windows
    of a video that are analysed separately give the same numbers without any overlap.

    Args:
        audio: (S,) samples at 16 kHz, mono, -1 to 1, tick 0 at sample 0. Samples after the last tick are not used.
        n_ticks: number of ticks. Where the audio ends early, the missing ticks count as silence.

    Returns:
        (n_ticks,) levels of `LOUDNESS_FLOOR_DBFS` and above.

    >>> tick_loudness_dbfs(np.full(640, 0.1, np.float32), 2)
    array([ -20., -100.], dtype=float32)
    """
    n_samples = n_ticks * SAMPLES_PER_TICK
    samples = np.zeros(n_samples)
    present = audio[:n_samples]
    samples[: len(present)] = present
    mean_square = np.square(samples).reshape(n_ticks, SAMPLES_PER_TICK).mean(axis=1)
    floor = 10.0 ** (LOUDNESS_FLOOR_DBFS / 10)
    level_dbfs: Float32Array = (10.0 * np.log10(np.maximum(mean_square, floor))).astype(np.float32)
    return level_dbfs
