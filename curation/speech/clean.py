"""Preparation of speech for the encoder: one loudness, no noise (GAIA A.2)."""

from typing import NamedTuple

from curation.speech.loudness import normalise_loudness
from curation.speech.models import SpeechModels
from foundation.array_types import Float32Array
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["CleanSpeech", "clean_speech"]


class CleanSpeech(NamedTuple):
    """Audio of a clip after normalisation and denoising."""

    audio_16k: Float32Array
    """(S,) samples of 16 kHz mono in -1 to 1."""
    lufs_before: float | None
    lufs_after: float | None
    """Integrated loudness; None where there is nothing to measure."""


def clean_speech(audio_16k: Float32Array, models: SpeechModels) -> CleanSpeech:
    """Return (S,) samples of a clip normalised, denoised and normalised again."""
    normalised, before, _ = normalise_loudness(audio_16k, AUDIO_RATE_HZ, models.target_lufs)
    clean = normalised if models.denoiser is None else models.denoiser(normalised)
    # Denoising removes energy: the level is set again, so that every clip has the same.
    clean, _, after = normalise_loudness(clean, AUDIO_RATE_HZ, models.target_lufs)
    return CleanSpeech(clean, before, after)
