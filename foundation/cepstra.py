"""Mel-frequency cepstra of sound, as the package python_speech_features 0.6 computes them.

LR-ASD and SyncNet were trained on them. The steps are that package's, with its defaults: a high-pass over neighbouring
samples, frames of 25 ms without a window every 10 ms, 26 triangular filters on the mel scale, an orthonormal cosine
transform of their logarithms, Young's lifter, and the logarithm of the energy in place of the first cepstrum.
"""

from functools import cache

import numpy as np

from foundation.array_types import Float32Array, Float64Array

__all__ = ["N_CEPSTRA", "mel_cepstra"]

N_CEPSTRA = 13
"""Numbers of a row, the logarithm of the energy first."""

_AUDIO_RATE_HZ = 16_000

_ROW_SAMPLES = 160
"""Samples at 16 kHz from one row to the next, 10 ms."""

_FRAME_SAMPLES = 400

_FFT_SAMPLES = 512

_N_FILTERS = 26

_LIFTER = 22

_PRE_EMPHASIS = 0.97

_FULL_SCALE = 32768.0
"""Samples of 16 bits over samples of -1 to 1: the cepstra know the level, and that package is given 16 bits."""

_ROWS_AT_ONCE = 4096
"""41 s: bounds the memory of the spectra."""


def mel_cepstra(audio_16k: Float32Array, n_rows: int) -> Float32Array:
    """Return (n_rows, 13) cepstra; row i is of the 400 samples from 160 i on, with silence after the last sample.

    Args:
        audio_16k: (S,) samples, 16 kHz, mono, -1 to 1; rounded to 16 bits.
        n_rows: number of rows, 100 a second.

    Raises:
        ValueError: the sound has another shape, or a sample that is not finite.

    >>> mel_cepstra(np.zeros(640, np.float32), 4)[0, 0].round(2)
    np.float32(-36.04)
    """
    if audio_16k.ndim != 1 or not np.isfinite(audio_16k).all():
        raise ValueError(f"audio of shape {audio_16k.shape} cannot be used; give (S,) finite samples of one channel")
    n_samples = (n_rows - 1) * _ROW_SAMPLES + _FRAME_SAMPLES
    samples = np.zeros(n_samples)
    heard = np.rint(audio_16k[:n_samples].astype(np.float64) * _FULL_SCALE)
    samples[: len(heard)] = np.clip(heard, -_FULL_SCALE, _FULL_SCALE - 1)
    # the package emphasises what it is given, before it adds silence
    samples[1 : len(heard)] -= _PRE_EMPHASIS * samples[: max(len(heard) - 1, 0)]
    cepstra = np.empty((n_rows, N_CEPSTRA), np.float32)
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        n = min(_ROWS_AT_ONCE, n_rows - first)
        stretch = samples[first * _ROW_SAMPLES : (first + n - 1) * _ROW_SAMPLES + _FRAME_SAMPLES]
        frames = np.lib.stride_tricks.sliding_window_view(stretch, _FRAME_SAMPLES)[::_ROW_SAMPLES]
        cepstra[first : first + n] = _cepstra_of(frames)
    return cepstra


def _cepstra_of(frames: Float64Array) -> Float64Array:
    """Return (R, 13) cepstra of (R, 400) frames."""
    power = np.abs(np.fft.rfft(frames, _FFT_SAMPLES)) ** 2 / _FFT_SAMPLES
    cepstra = np.log(_without_zero(power @ _filters().T)) @ _cosines().T
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(N_CEPSTRA) / _LIFTER)
    cepstra[:, 0] = np.log(_without_zero(power.sum(axis=1)))
    return cepstra


def _without_zero(energies: Float64Array) -> Float64Array:
    return np.where(energies == 0, np.finfo(np.float64).eps, energies)


@cache
def _filters() -> Float64Array:
    """Return the (26, 257) triangles over the frequencies of the spectrum, evenly spaced in mel from 0 Hz to 8 kHz."""
    mels = np.linspace(0, 2595 * np.log10(1 + _AUDIO_RATE_HZ / 2 / 700), _N_FILTERS + 2)
    corners = np.floor((_FFT_SAMPLES + 1) * 700 * (10 ** (mels / 2595) - 1) / _AUDIO_RATE_HZ)
    frequencies = np.arange(_FFT_SAMPLES // 2 + 1)
    low, middle, high = (corners[k : k + _N_FILTERS, None] for k in range(3))
    rising = (frequencies - low) / (middle - low) * ((frequencies >= low) & (frequencies < middle))
    falling = (high - frequencies) / (high - middle) * ((frequencies >= middle) & (frequencies < high))
    triangles: Float64Array = rising + falling
    return triangles


@cache
def _cosines() -> Float64Array:
    """Return the (13, 26) matrix of the orthonormal cosine transform, second type."""
    order, number = np.arange(N_CEPSTRA)[:, None], np.arange(_N_FILTERS)
    cosines: Float64Array = np.cos(np.pi * order * (2 * number + 1) / (2 * _N_FILTERS)) * np.sqrt(2 / _N_FILTERS)
    cosines[0] /= np.sqrt(2)
    return cosines
