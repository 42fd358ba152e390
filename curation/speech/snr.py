"""Signal-to-noise ratio of the speech of a clip, estimated from the recording alone.

The noise is read from the quietest moments, band by band. A band of noise has, in frames of 64 ms, powers that follow
a chi-squared distribution; speech adds frames above it. So the frames at the lower end tell the mean of the noise,
whether they are pauses or the short gaps that speech leaves in every band (the idea of minimum statistics, Martin 2001,
with the mean of a distribution cut off at the top in place of the bias of a minimum). Nothing depends on the level of
the recording, nor on a constant offset of its samples.

Where a codec, a gate or an editor has silenced the pauses, they tell nothing of the noise under the speech: it is then
read within the speech alone. docs/explanation/speech.md has the error.
"""

import numpy as np

from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["snr_db"]

_SPEECH_PROB = 0.5
"""A tick at least as likely is speech; Silero VAD's own limit."""

_FEWEST_TICKS = 5
"""0.2 s, the least speech for an estimate."""

_LIMITS_DB = (-10.0, 60.0)
"""Estimates end here: speech 10 dB under the noise cannot be detected, and no room or codec leaves 60 dB."""

_WINDOW, _HOP, _AVERAGED = 512, 256, 3
"""Samples of a window, and from one to the next; so many are averaged to a frame, which is 64 ms long."""

_BAND_EDGES = np.array([1, 3, 5, 8, 12, 17, 23, 30, 38, 48, 60, 76, 96, 120, 150, 190, 257])
"""Bins of 31.25 Hz; bands of 62 Hz to 2 kHz, each a fifth to a third of its frequency wide."""

_FREEDOM_PER_BIN = 2.0 / 1.5 * 2.9
"""Degrees of freedom of a frame's power per bin: two, less for the width of Hann's window (1.5 bins), more for the
three windows that are averaged, which overlap by half and are nearly independent (Welch 1967: 2.9)."""

_QUIET_SHARE = 0.05
"""The search for the noise begins at this quantile of a band's powers."""

_NOISE_QUANTILE = 0.8
"""A frame is noise as far as this quantile of the distribution of noise."""

_ROUNDS = 30

_SILENCED_DB = (10.0, 20.0)
"""The noise of all frames may be so much lower than that within speech, median over the bands: up to the first, it
counts; beyond the second, the pauses were silenced, and that within speech counts. In between both have a part."""

_TINIEST = 1e-20


def snr_db(audio_16k: Float32Array, speech_prob: Float32Array) -> float | None:
    """Estimate the ratio of the power of speech, where there is speech, to that of the noise under it.

    Args:
        audio_16k: (S,) samples of 16 kHz mono as recorded, before any denoising.
        speech_prob: (N,) probability of speech per tick; tick 0 begins at sample 0.

    Returns:
        dB in -10 to 60; None where fewer than 5 ticks (0.2 s) are speech.
    """
    n_ticks = min(speech_prob.size, audio_16k.size // SAMPLES_PER_TICK)
    spoken: BoolArray = speech_prob[:n_ticks] >= _SPEECH_PROB
    if np.count_nonzero(spoken) < _FEWEST_TICKS:
        return None
    samples = audio_16k[: n_ticks * SAMPLES_PER_TICK].astype(np.float64)
    powers = _band_powers(samples - samples.mean())
    centres = np.arange(len(powers)) * _HOP + (_WINDOW + (_AVERAGED - 1) * _HOP) // 2
    powers_spoken = powers[spoken[centres // SAMPLES_PER_TICK]]
    if not len(powers_spoken):
        return None
    noise, noise_spoken = _noise(powers), _noise(powers_spoken)
    lower_db = np.median(10.0 * np.log10((noise_spoken + _TINIEST) / (noise + _TINIEST)))
    least_db, most_db = _SILENCED_DB
    part = float(np.clip((lower_db - least_db) / (most_db - least_db), 0.0, 1.0))
    total = float(noise.sum() + _TINIEST) ** (1.0 - part) * float(noise_spoken.sum() + _TINIEST) ** part
    return _ratio_db(float(powers_spoken.sum(axis=1).mean()), total)


def _band_powers(samples: Float64Array) -> Float64Array:
    """Return (F, B) the power of each frame in each band, in one arbitrary unit, of (S,) samples."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.square(np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)))
    bands: Float64Array = np.add.reduceat(spectra, _BAND_EDGES[:-1], axis=1)
    n_frames = len(bands) - _AVERAGED + 1
    return sum((bands[k : k + n_frames] for k in range(_AVERAGED)), np.zeros((n_frames, bands.shape[1]))) / _AVERAGED


def _noise(powers: Float64Array) -> Float64Array:
    """Return the (B,) mean power of the noise in each band, from (F, B) powers of frames with and without speech."""
    from scipy.special import gammainc, gammaincinv

    half_freedom = np.diff(_BAND_EDGES) * _FREEDOM_PER_BIN / 2
    highest = gammaincinv(half_freedom, _NOISE_QUANTILE) / half_freedom
    cut_mean = gammainc(half_freedom + 1, highest * half_freedom) / _NOISE_QUANTILE
    noise: Float64Array = np.quantile(powers, _QUIET_SHARE, axis=0)
    for _ in range(_ROUNDS):
        within = powers <= noise * highest
        noise = np.where(within, powers, 0.0).sum(axis=0) / np.maximum(1, within.sum(axis=0)) / cut_mean
    return noise


def _ratio_db(noisy_speech: float, noise: float) -> float:
    """Return 10 log10 of speech over noise, within the limits; the power of noisy speech includes that of the noise."""
    lowest_db, highest_db = _LIMITS_DB
    if noisy_speech - noise <= noise * 10.0 ** (lowest_db / 10.0):
        return lowest_db
    if noise <= (noisy_speech - noise) * 10.0 ** (-highest_db / 10.0):
        return highest_db
    return 10.0 * float(np.log10((noisy_speech - noise) / noise))
