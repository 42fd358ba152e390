"""Signal-to-noise ratio of the speech of a clip, estimated from the recording alone.

Where the clip has pauses they are the measure of the noise. Where it has none the noise is read from the gaps of the
speech itself, frequency by frequency: a bin is rarely filled for long, so a low quantile over time is the noise floor
(the idea of minimum statistics, Martin 2001). docs/explanation/speech.md has the error of both.
"""

import numpy as np

from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["snr_db"]

_SPEECH_PROB = 0.5
"""A tick at least as likely is speech; Silero VAD's own limit."""

_PAUSE_PROB = 0.1
"""A tick less likely, and both its neighbours, are pause: speech fades in and out in the other ticks."""

_FEWEST_TICKS = 5
"""0.2 s: least speech for an estimate, and least pause for a measurement of the noise."""

_LIMITS_DB = (-10.0, 60.0)
"""Estimates end here: speech 10 dB under the noise cannot be detected, and no room or codec leaves 60 dB."""

_WINDOW = 512

_HOP = 256

_FLOOR_QUANTILE = 0.1

_FLOOR_SHARE = -float(np.log1p(-_FLOOR_QUANTILE))
"""That quantile of Gaussian noise's power in one bin over its mean: the power is distributed exponentially."""


def snr_db(audio_16k: Float32Array, speech_prob: Float32Array) -> float | None:
    """Estimate the ratio of the power of speech, where there is speech, to that of the noise under it.

    Args:
        audio_16k: (S,) samples of 16 kHz mono as recorded, before any denoising.
        speech_prob: (N,) probability of speech per tick; tick 0 begins at sample 0.

    Returns:
        dB in -10 to 60; None where fewer than 5 ticks (0.2 s) are speech.
    """
    n_ticks = min(speech_prob.size, audio_16k.size // SAMPLES_PER_TICK)
    ticks = audio_16k[: n_ticks * SAMPLES_PER_TICK].astype(np.float64).reshape(n_ticks, SAMPLES_PER_TICK)
    speech: BoolArray = speech_prob[:n_ticks] >= _SPEECH_PROB
    if np.count_nonzero(speech) < _FEWEST_TICKS:
        return None
    pause = _away_from_speech(speech_prob[:n_ticks] < _PAUSE_PROB)
    if np.count_nonzero(pause) < _FEWEST_TICKS:
        return _ratio_db(*_powers_from_gaps(ticks.ravel(), speech))
    power = np.square(ticks).mean(axis=1)
    return _ratio_db(float(power[speech].mean()), float(power[pause].mean()))


def _away_from_speech(quiet: BoolArray) -> BoolArray:
    """Return (N,) whether a tick and both its neighbours are quiet; beyond the ends lies what the end is."""
    around = np.pad(quiet, 1, mode="edge")
    return around[:-2] & quiet & around[2:]


def _powers_from_gaps(samples: Float64Array, speech: BoolArray) -> tuple[float, float]:
    """Return the mean power of speech with its noise and that of the noise, in one arbitrary unit.

    Args:
        samples: (N * 640,) samples.
        speech: (N,) whether a tick is speech.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)))
    centres = np.arange(len(frames)) * _HOP + _WINDOW // 2
    floor = np.quantile(spectra, _FLOOR_QUANTILE, axis=0) / _FLOOR_SHARE
    return float(spectra[speech[centres // SAMPLES_PER_TICK]].mean(axis=0).sum()), float(floor.sum())


def _ratio_db(noisy_speech: float, noise: float) -> float:
    """Return 10 log10 of speech over noise, within the limits; the power of noisy speech includes that of the noise."""
    lowest_db, highest_db = _LIMITS_DB
    if noisy_speech - noise <= noise * 10.0 ** (lowest_db / 10.0):
        return lowest_db
    if noise <= (noisy_speech - noise) * 10.0 ** (-highest_db / 10.0):
        return highest_db
    return 10.0 * float(np.log10((noisy_speech - noise) / noise))
