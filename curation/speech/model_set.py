"""The speech models of one worker: what they need and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.speech.denoise import Denoiser, SpeechSettings
from curation.speech.encoder import SpeechEncoder

__all__ = ["SpeechModels", "load_speech", "speech_assets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechModels:
    """What the sound of a kept clip goes through."""

    target_lufs: float
    denoiser: Denoiser | None
    encoder: SpeechEncoder | None


def speech_assets(settings: SpeechSettings) -> Sequence[str]:
    """Return the names of the weights that these settings need."""
    return ["whisper-tiny.en"] if settings.encoder == "whisper-tiny.en" else []


def load_speech(settings: SpeechSettings) -> SpeechModels:
    """Load the denoiser and the encoder.

    Raises:
        MissingAssetsError: weights are missing; `speech_assets` names them beforehand.
    """
    denoiser: Denoiser | None = None
    encoder: SpeechEncoder | None = None
    if settings.denoiser == "deepfilternet3":
        from curation.speech.deepfilter import DeepFilterDenoiser

        denoiser = DeepFilterDenoiser(settings.max_attenuation_db)
    if settings.encoder == "whisper-tiny.en":
        from curation.speech.whisper_features import WhisperTinyEncoder

        encoder = WhisperTinyEncoder()
    return SpeechModels(target_lufs=settings.target_lufs, denoiser=denoiser, encoder=encoder)
