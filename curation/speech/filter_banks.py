"""Log mel filter banks as Kaldi computes them: the input of speaker networks."""

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["log_mel_banks"]

_FRAME = AUDIO_RATE_HZ * 25 // 1000

_SHIFT = AUDIO_RATE_HZ // 100

_FFT = 512

_PREEMPHASIS = 0.97

_LOWEST_HZ = 20.0


def log_mel_banks(audio_16k: Float32Array, n_banks: int) -> Float32Array:
    """Return (T, n_banks) logarithms of the energy in mel bands, one row per 10 ms, of windows of 25 ms.

    Povey's window, a pre-emphasis of 0.97, no dither, bands from 20 Hz to 8 kHz, no window beyond the end.

    Args:
        audio_16k: (S,) samples of 16 kHz mono in -1 to 1; at least 25 ms of them.
        n_banks: number of bands.
    """
    windows = np.lib.stride_tricks.sliding_window_view(audio_16k.astype(np.float64), _FRAME)[::_SHIFT]
    windows = windows - windows.mean(axis=1, keepdims=True)
    before = np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    window = np.hanning(_FRAME) ** 0.85  # Povey's
    power = np.abs(np.fft.rfft((windows - _PREEMPHASIS * before) * window, _FFT)) ** 2
    energy = power[:, : _FFT // 2] @ _bands(n_banks).T
    floor = float(np.finfo(np.float32).eps)
    logarithms: Float32Array = np.log(np.maximum(energy, floor)).astype(np.float32)
    return logarithms


def _bands(n_banks: int) -> Float64Array:
    """Return (n_banks, 256) triangles on the mel scale, over the lower bins of the spectrum."""
    edges = np.linspace(_mel(np.array(_LOWEST_HZ)), _mel(np.array(AUDIO_RATE_HZ / 2)), n_banks + 2)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = _mel(np.arange(_FFT // 2) * AUDIO_RATE_HZ / _FFT)[None]
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    triangles: Float64Array = np.maximum(0.0, np.minimum(rising, falling))
    return triangles


def _mel(frequency_hz: Float64Array) -> Float64Array:
    return 1127.0 * np.log1p(frequency_hz / 700.0)
