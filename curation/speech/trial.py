"""Trial of speech models on made sound, before any video is analysed: they are first needed after the analysis."""

import numpy as np

from curation.speech.protocols import Denoiser, QuicklyTried, SpeechClip, SpeechEncoder, Transcriber
from foundation.array_types import Float32Array
from foundation.errors import CannotStartError
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK

__all__ = ["SpeechTrialError", "require_working"]

_TICKS = 25
"""Length of the trial, 1 s: enough to pass every layer, in a few tenths of a second with the preset `embedded`."""


class SpeechTrialError(CannotStartError):
    """A speech model fails on any sound, so that every video would fail after its analysis."""


def require_working(
    denoiser: Denoiser | None, encoder: SpeechEncoder | None, transcriber: Transcriber | None = None
) -> None:
    """Run loaded models on a second of a vowel in noise and check the shapes and numbers that come out.

    Raises:
        SpeechTrialError: one of them raises, or returns something else than its protocol says.
    """
    audio = _vowel_in_noise()
    if denoiser is not None:
        audio = _denoised(denoiser, audio)
    if encoder is not None:
        _try_encoder(encoder, audio)
    if transcriber is not None:
        _try_transcriber(transcriber, audio)


def _vowel_in_noise() -> Float32Array:
    """Return (S,) samples of harmonics of 120 Hz with a little noise, at about the level of normalised speech."""
    time_s = np.arange(_TICKS * SAMPLES_PER_TICK) / AUDIO_RATE_HZ
    voice = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 11))
    noise = np.random.default_rng(0).standard_normal(time_s.size)
    return (0.1 * voice + 0.003 * noise).astype(np.float32)


def _denoised(denoiser: Denoiser, audio: Float32Array) -> Float32Array:
    try:
        clean = denoiser(audio)
    except CannotStartError:
        raise
    except Exception as error:
        raise SpeechTrialError(_message("denoiser", f"it raises {type(error).__name__}: {error}")) from error
    if clean.shape != audio.shape or not np.isfinite(clean).all():
        raise SpeechTrialError(_message("denoiser", _unlike(clean.shape, audio.shape)))
    return clean


def _try_encoder(encoder: SpeechEncoder, audio: Float32Array) -> None:
    clip = SpeechClip(audio, _TICKS)
    try:
        (features,) = [encoder.try_out(clip)] if isinstance(encoder, QuicklyTried) else encoder.encode_clips([clip])
    except CannotStartError:
        raise
    except Exception as error:
        raise SpeechTrialError(_message("encoder", f"it raises {type(error).__name__}: {error}")) from error
    if features.shape != (_TICKS, encoder.dim) or not np.isfinite(features).all():
        raise SpeechTrialError(_message("encoder", _unlike(features.shape, (_TICKS, encoder.dim))))


def _try_transcriber(transcriber: Transcriber, audio: Float32Array) -> None:
    try:
        transcriber(audio, np.ones(_TICKS, dtype=np.bool_))
    except CannotStartError:
        raise
    except Exception as error:
        raise SpeechTrialError(_message("transcript", f"it raises {type(error).__name__}: {error}")) from error


def _unlike(shape: tuple[int, ...], asked: tuple[int, ...]) -> str:
    if shape != asked:
        return f"what it returns has shape {shape} instead of {asked}"
    return "it returns numbers that are not finite"


def _message(kind: str, what: str) -> str:
    return (
        f"setting speech.{kind}: the model does not work on this machine: given {_TICKS * SAMPLES_PER_TICK} samples of "
        f"made sound, {what}. Every video would fail after its analysis, so none was begun; choose another one, or "
        "repair this one"
    )
