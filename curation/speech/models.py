"""The speech models of one worker: their cards, the weights they need, and loading them."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.model_cards import ModelCard
from curation.model_registry import DENOISERS, ENCODERS, TRANSCRIBERS
from curation.speech.cards import DenoiserCard, EncoderCard, SpeechCard, TranscriberCard
from curation.speech.protocols import Denoiser, SpeechEncoder, Transcriber
from curation.speech.settings import SpeechSettings
from curation.speech.trial import require_working
from curation.speech.whisper_words import FOLDER_WORDS
from manifests.record import WeightRecord

__all__ = ["SpeechModels", "load_speech", "outside_speech_weights", "speech_assets", "speech_cards"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechModels:
    """The models that process the audio of a kept clip, and its loudness."""

    target_lufs: float
    denoiser: Denoiser | None
    encoder: SpeechEncoder | None
    transcriber: Transcriber | None = None
    """Writes down what is said."""


def speech_cards(settings: SpeechSettings) -> list[ModelCard]:
    """Return the cards of all models that these settings use, those of the networks that they run included."""
    return [card for model in _models(settings) for card in model.used(settings)]


def speech_assets(settings: SpeechSettings) -> list[str]:
    """Return the names of the weights of the asset registry that these settings need."""
    return [name for card in speech_cards(settings) for name in card.asset_names]


def outside_speech_weights(settings: SpeechSettings) -> list[WeightRecord]:
    """Check that all is there but the registry's assets; return the weights that come from elsewhere, hashed.

    A checkpoint of the Hugging Face hub that the registry does not know is fetched. Called before the first frame is
    decoded, for a missing package or file would stop every worker.

    Raises:
        FileNotFoundError: a package lacks its weights.
        MissingPackageError: a package is not installed; the message has the command.
        CheckpointError: the checkpoint of wav2vec 2.0 is not there, or is not what the settings ask for.
        TranscriptModelError: the folder that `speech.transcript` names has no model.
    """
    return [record for model in _models(settings) for record in model.weights(settings)]


def load_speech(settings: SpeechSettings) -> SpeechModels:
    """Load the denoiser, the encoder and the transcriber, and try them on a second of made sound.

    Raises:
        SpeechTrialError: one of them fails on any sound.
        MissingAssetsError: weights are missing; `speech_assets` names them beforehand.
        MissingPackageError: a package is missing; `outside_speech_weights` finds that beforehand.
        CheckpointError, TranscriptModelError: likewise.
        DeviceError: the GPU that is named cannot be used.
        UnknownModelError: a model is neither built in nor registered.
    """
    denoiser_card, encoder_card = _denoiser(settings), _encoder(settings)
    denoiser = None if denoiser_card is None else denoiser_card.load(settings)
    encoder = None if encoder_card is None else encoder_card.load(settings)
    transcriber_card = _transcriber(settings)
    transcriber = None if transcriber_card is None else transcriber_card.load(settings)
    require_working(denoiser, encoder, transcriber)
    return SpeechModels(target_lufs=settings.target_lufs, denoiser=denoiser, encoder=encoder, transcriber=transcriber)


def _models(settings: SpeechSettings) -> Sequence[SpeechCard]:
    cards = (_denoiser(settings), _encoder(settings), _transcriber(settings))
    return [card for card in cards if card is not None]


def _denoiser(settings: SpeechSettings) -> DenoiserCard | None:
    return None if settings.denoiser == "none" else DENOISERS.card(settings.denoiser, DenoiserCard)


def _encoder(settings: SpeechSettings) -> EncoderCard | None:
    return None if settings.encoder == "none" else ENCODERS.card(settings.encoder, EncoderCard)


def _transcriber(settings: SpeechSettings) -> TranscriberCard | None:
    if settings.transcript == "none":
        return None
    known = settings.transcript in TRANSCRIBERS
    return TRANSCRIBERS.card(settings.transcript, TranscriberCard) if known else FOLDER_WORDS
