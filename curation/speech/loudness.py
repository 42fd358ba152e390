"""Loudness as EBU R 128 measures it, and its normalisation (GAIA A.2).

The measure is ITU-R BS.1770-4 for one channel: K-weighting, mean squares of blocks of 400 ms that begin every 100 ms,
an absolute gate at -70 LUFS, and a relative gate 10 LU below the loudness of the blocks above the absolute one.
"""

import numpy as np

from foundation.array_types import Float32Array, Float64Array

__all__ = ["PEAK_CEILING_DBFS", "integrated_loudness_lufs", "normalise_loudness"]

PEAK_CEILING_DBFS = -1.0
"""No normalised clip has a true peak above this, dB of full scale (EBU R 128: -1 dBTP)."""

_ABSOLUTE_GATE_LUFS = -70.0

_RELATIVE_GATE_LU = -10.0

_LOUDNESS_OFFSET = -0.691
"""Makes a 997 Hz tone in one channel read as many LUFS as it has dB (BS.1770-4, equation 2)."""

_TRUE_PEAK_OVERSAMPLING = 4

_LOW_PASS_REACH = 10
"""Samples on either side that a sample between others is made of."""

_RING_OUT_S = 1.0
"""Seconds after which nothing of a sample is left in the K-weighted sound: its slowest part falls by 2,000 dB."""

_BINS_AT_ONCE = 1 << 18
"""Frequencies whose response is computed together: of ten minutes all of them would take 0.4 GB."""

_PASSES = 3
"""The absolute gate does not move with the gain: blocks of a quiet clip come above it, or fall below, and change the
loudness by more or less than the gain. Measuring again and scaling again takes that away."""


def integrated_loudness_lufs(audio: Float32Array, rate_hz: int) -> float | None:
    """Return the integrated loudness of one channel.

    Args:
        audio: (S,) samples in -1 to 1.
        rate_hz: samples per second.

    Returns:
        LUFS; None where there is nothing to measure: less than one block of 0.4 s, or no block above the absolute gate.

    >>> tone = np.sin(2 * np.pi * 997 / 48000 * np.arange(48000)).astype(np.float32)
    >>> round(integrated_loudness_lufs(tone, 48000), 1)
    -3.0
    >>> integrated_loudness_lufs(tone[:4800], 48000)
    """
    return _gated_lufs(_block_powers(audio, rate_hz))


def _block_powers(audio: Float32Array, rate_hz: int) -> Float64Array:
    """Return the mean squares of K-weighted blocks of 0.4 s, one every 0.1 s; none where the audio is shorter."""
    block, step = round(0.4 * rate_hz), round(0.1 * rate_hz)
    if audio.size < block:
        return np.zeros(0)
    weighted = _k_weighted(audio.astype(np.float64), rate_hz)
    energy = np.concatenate(([0.0], np.cumsum(np.square(weighted))))
    starts = np.arange(0, audio.size - block + 1, step)
    powers: Float64Array = (energy[starts + block] - energy[starts]) / block
    return powers


def _gated_lufs(power: Float64Array) -> float | None:
    """Return the loudness of blocks, of which quiet ones do not count; None where all are quiet."""
    audible = power[power > _power(_ABSOLUTE_GATE_LUFS)]
    if audible.size == 0:
        return None
    foreground = audible[audible > _power(_lufs(float(audible.mean())) + _RELATIVE_GATE_LU)]
    return _lufs(float(foreground.mean()))


def normalise_loudness(
    audio: Float32Array, rate_hz: int, target_lufs: float
) -> tuple[Float32Array, float | None, float | None]:
    """Scale one channel to a loudness; peaks stay below -1 dBFS, so a clip with high peaks stays quieter.

    Args:
        audio: (S,) samples in -1 to 1.
        rate_hz: samples per second.
        target_lufs: target, LUFS.

    Returns:
        (S,) scaled samples and the loudness before and after, LUFS. Audio without a loudness (see
        `integrated_loudness_lufs`) is returned unchanged, with None twice.
    """
    power = _block_powers(audio, rate_hz)
    before_lufs = _gated_lufs(power)
    if before_lufs is None:
        return audio, None, None
    ceiling = float(10.0 ** (PEAK_CEILING_DBFS / 20.0)) / _true_peak(audio)
    gain, after_lufs = 1.0, before_lufs
    for _ in range(_PASSES):
        gain = min(gain * float(10.0 ** ((target_lufs - after_lufs) / 20.0)), ceiling)
        measured = _gated_lufs(power * gain**2)
        if measured is None:  # made quieter, it fell below the absolute gate
            return (audio * gain).astype(np.float32), before_lufs, None
        after_lufs = measured
    return (audio * gain).astype(np.float32), before_lufs, after_lufs


def _true_peak(audio: Float32Array) -> float:
    """Return the largest magnitude of the waveform, between the samples too (BS.1770-4 annex 2)."""
    samples, low_pass = audio.astype(np.float64), _low_pass()
    # Of each four samples of the finer grid, every one is made by every fourth number of the filter.
    between = (
        np.convolve(samples, low_pass[phase::_TRUE_PEAK_OVERSAMPLING]) for phase in range(_TRUE_PEAK_OVERSAMPLING)
    )
    margin = _LOW_PASS_REACH
    return float(max(np.abs(audio).max(), *(np.abs(values[margin : margin + audio.size]).max() for values in between)))


def _lufs(power: float) -> float:
    return _LOUDNESS_OFFSET + 10.0 * float(np.log10(power))


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - _LOUDNESS_OFFSET) / 10.0))


def _low_pass() -> Float64Array:
    """Return the (81,) numbers of the filter between samples: a sinc under Kaiser's window, as SciPy designs it."""
    taps = np.arange(-_LOW_PASS_REACH * _TRUE_PEAK_OVERSAMPLING, _LOW_PASS_REACH * _TRUE_PEAK_OVERSAMPLING + 1)
    shape = np.sinc(taps / _TRUE_PEAK_OVERSAMPLING) * np.kaiser(taps.size, 5.0)
    scaled: Float64Array = shape * (_TRUE_PEAK_OVERSAMPLING / shape.sum())
    return scaled


def _k_weighted(audio: Float64Array, rate_hz: int) -> Float64Array:
    """Return (S,) samples after K-weighting.

    The filter is applied to the spectrum. `scipy.signal.sosfilt` gives the same to twelve digits; importing its package
    costs a worker most of a second.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    n = next_fast_len(audio.size + round(_RING_OUT_S * rate_hz), real=True)
    spectrum = rfft(audio, n)
    for first in range(0, spectrum.size, _BINS_AT_ONCE):
        bins = np.arange(first, min(first + _BINS_AT_ONCE, spectrum.size))
        delay = np.exp(-2j * np.pi * bins / n)
        response = np.ones(bins.size, dtype=np.complex128)
        for b0, b1, b2, a0, a1, a2 in _k_weighting(rate_hz):
            response *= (b0 + delay * (b1 + delay * b2)) / (a0 + delay * (a1 + delay * a2))
        spectrum[bins] *= response
    weighted: Float64Array = irfft(spectrum, n, overwrite_x=True)[: audio.size]
    return weighted


def _k_weighting(rate_hz: int) -> Float64Array:
    """Return the two second-order sections of K-weighting for a sample rate.

    BS.1770-4 tabulates coefficients for 48 kHz only. They are the bilinear transforms of a shelf for the head (4 dB
    above 1.7 kHz) and a high pass (38 Hz); the corner frequencies, gain and qualities below give that table back to
    eight digits, and the same analogue filters at any other rate.

    Returns:
        (2, 6) sections as SciPy takes them: b0, b1, b2, 1, a1, a2.
    """
    corner_hz, quality, gain_db = 1681.974450955533, 0.7071752369554196, 3.999843853973347
    k = np.tan(np.pi * corner_hz / rate_hz)
    high = 10.0 ** (gain_db / 20.0)
    middle = high**0.4996667741545416
    a0 = 1.0 + k / quality + k * k
    shelf = [
        (high + middle * k / quality + k * k) / a0,
        2.0 * (k * k - high) / a0,
        (high - middle * k / quality + k * k) / a0,
        1.0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / quality + k * k) / a0,
    ]
    corner_hz, quality = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * corner_hz / rate_hz)
    a0 = 1.0 + k / quality + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / quality + k * k) / a0]
    return np.array([shelf, high_pass])
