"""Cards of speech models, one class per kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from curation.model_cards import ModelCard, nothing
from curation.speech.protocols import Denoiser, SpeechEncoder, Transcriber, VoiceDescriber
from curation.speech.settings import SpeechSettings
from manifests.record import WeightRecord

__all__ = ["DenoiserCard", "EncoderCard", "SpeechCard", "TranscriberCard", "VoiceCard"]


@dataclass(frozen=True, kw_only=True)
class SpeechCard(ModelCard):
    """A speech model."""

    parts: Callable[[SpeechSettings], Sequence[ModelCard]] = nothing
    """Other networks that it runs."""
    weights: Callable[[SpeechSettings], Sequence[WeightRecord]] = nothing
    """Weights outside the asset registry; checks that they, and packages that may be missing, are there."""

    def used(self, settings: SpeechSettings) -> tuple[ModelCard, ...]:
        """Return its own card and those of the networks that it runs."""
        return (self, *self.parts(settings))


@dataclass(frozen=True, kw_only=True)
class DenoiserCard(SpeechCard):
    """A speech denoiser; chosen by `speech.denoiser`."""

    kind: str = field(default="denoiser", init=False)
    """`denoiser`."""
    load: Callable[[SpeechSettings], Denoiser]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class EncoderCard(SpeechCard):
    """A speech encoder; chosen by `speech.encoder`."""

    kind: str = field(default="encoder", init=False)
    """`encoder`."""
    load: Callable[[SpeechSettings], SpeechEncoder]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class TranscriberCard(SpeechCard):
    """A speech recogniser; chosen by `speech.transcript`."""

    kind: str = field(default="transcript", init=False)
    """`transcript`."""
    load: Callable[[SpeechSettings], Transcriber]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class VoiceCard(ModelCard):
    """A model that tells voices apart; chosen by the option `--voices` of `gaia-curate identities`."""

    kind: str = field(default="voices", init=False)
    """`voices`."""
    dim: int
    """Numbers of a description."""
    same_voice_cosine: float
    """Mean cosine of descriptions from which on two are of one voice."""
    load: Callable[[], VoiceDescriber]
    """Loads the model."""
