"""Interfaces of speech models: denoiser and feature encoder."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from foundation.array_types import BoolArray, Float16Array, Float32Array
from manifests.files.transcript import Transcript

__all__ = ["Denoiser", "QuicklyTried", "SpeechClip", "SpeechEncoder", "Transcriber", "VoiceDescriber"]


class Denoiser(Protocol):
    """Removes noise from speech.

    Denoisers are stateless: the same samples give the same bytes, whatever was denoised before, in every process.
    """

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return (S,) samples of speech for (S,) samples of 16 kHz mono in -1 to 1: same length, no delay."""
        ...


class SpeechClip(NamedTuple):
    """Audio of a clip."""

    audio_16k: Float32Array
    """(S,) samples of 16 kHz mono in -1 to 1; tick 0 begins at sample 0."""
    n_ticks: int
    """Ticks of the clip; audio that ends sooner is followed by silence."""


class SpeechEncoder(Protocol):
    """Turns speech into the vectors that drive a face.

    Encoders are stateless: the same samples give the same bytes, whatever was encoded before and in whichever process.
    """

    name: str
    """Stands in the manifest as `speech_encoder`."""
    dim: int
    """Length of a feature row."""

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        """Return the features of a clip in the tick grid.

        Args:
            audio_16k: (S,) samples of 16 kHz mono in -1 to 1; tick 0 begins at sample 0.
            n_ticks: ticks of the clip; audio that ends sooner is followed by silence.

        Returns:
            (n_ticks, dim); row k is the encoder's output at (k + 0.5) / 25 s, the middle of tick k.
        """
        ...

    def encode_clips(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        """Return the features of each clip, as `__call__` gives them.

        An encoder on a GPU takes several clips at once, which may change the last bits of the numbers.
        """
        ...


@runtime_checkable
class QuicklyTried(Protocol):
    """A speech encoder that can be tried in less time than it takes to encode a clip."""

    def try_out(self, clip: SpeechClip) -> Float16Array:
        """Return (n_ticks, dim) numbers that went through every layer, as the features of the clip do."""
        ...


class Transcriber(Protocol):
    """Turns speech into words with their times.

    Transcribers are stateless: the same samples give the same words, whatever was heard before, in every process.
    """

    def __call__(self, audio_16k: Float32Array, is_speech: BoolArray) -> Transcript:
        """Return what is said; times are seconds after the first sample.

        Args:
            audio_16k: (S,) samples of 16 kHz mono in -1 to 1; tick 0 begins at sample 0.
            is_speech: (N,) whether the voice detector hears speech on each tick; what is heard elsewhere is invented.
        """
        ...


class VoiceDescriber(Protocol):
    """Turns speech into a vector that is near for the same voice and far for another."""

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return the description, length 1, of (S,) samples of 16 kHz mono in -1 to 1, half a second at least."""
        ...
