"""The speech models of one worker: what they need and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.speech.demucs import DEMUCS_MODELS, DemucsDenoiser
from curation.speech.protocols import Denoiser, SpeechEncoder
from curation.speech.settings import SpeechSettings
from curation.speech.wav2vec2_checkpoint import hub_asset, outside_weights
from foundation.packages import import_package
from manifests.record import WeightRecord

__all__ = ["SpeechModels", "load_speech", "speech_assets", "speech_checkpoints"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechModels:
    """What the sound of a kept clip goes through."""

    target_lufs: float
    denoiser: Denoiser | None
    encoder: SpeechEncoder | None


def speech_assets(settings: SpeechSettings) -> Sequence[str]:
    """Return the names of the weights of the asset registry that these settings need."""
    names: list[str] = [settings.denoiser] if settings.denoiser in DEMUCS_MODELS else []
    if settings.encoder == "whisper-tiny.en":
        names.append(settings.encoder)
    if settings.encoder == "wav2vec2":
        names += hub_asset(settings.wav2vec2.model)
    return names


def speech_checkpoints(settings: SpeechSettings) -> Sequence[WeightRecord]:
    """Check that all is there but the registry's assets; return the weights that come from elsewhere.

    A checkpoint of the Hugging Face hub that the registry does not know is fetched. Called before the first frame is
    decoded, for a missing package or file would stop every worker.

    Raises:
        MissingPackageError: a package is not installed; the message has the command.
        CheckpointError: the checkpoint of wav2vec 2.0 is not there, or is not what the settings ask for.
    """
    if settings.denoiser in DEMUCS_MODELS:
        import_package("denoiser.pretrained")
    if settings.encoder != "wav2vec2":
        return []
    import_package("transformers")
    return outside_weights(settings.wav2vec2)


def load_speech(settings: SpeechSettings) -> SpeechModels:
    """Load the denoiser and the encoder.

    Raises:
        MissingAssetsError: weights are missing; `speech_assets` names them beforehand.
        MissingPackageError: a package is missing; `speech_checkpoints` finds that beforehand.
        CheckpointError: likewise.
        DeviceError: the GPU that is named cannot be used.
    """
    return SpeechModels(target_lufs=settings.target_lufs, denoiser=_denoiser(settings), encoder=_encoder(settings))


def _denoiser(settings: SpeechSettings) -> Denoiser | None:
    match settings.denoiser:
        case "none":
            return None
        case "deepfilternet3":
            from curation.speech.deepfilternet import DeepFilterDenoiser

            return DeepFilterDenoiser(settings.max_attenuation_db)
        case "dns48" | "dns64" | "master64":
            return DemucsDenoiser(settings.denoiser, settings.device)


def _encoder(settings: SpeechSettings) -> SpeechEncoder | None:
    match settings.encoder:
        case "none":
            return None
        case "whisper-tiny.en":
            from curation.speech.whisper import WhisperTinyEncoder

            return WhisperTinyEncoder()
        case "wav2vec2":
            from curation.speech.wav2vec2 import Wav2Vec2Encoder

            return Wav2Vec2Encoder(settings.wav2vec2, settings.device)
