"""Settings of everything that is done to the speech of a kept clip (GAIA A.2)."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from curation.model_registry import DENOISERS, ENCODERS, TRANSCRIBERS, ModelName, UnknownModelError
from curation.speech.wav2vec2_checkpoint import Wav2Vec2Settings
from foundation.devices import DeviceName
from foundation.settings import Settings

__all__ = ["SpeechSettings"]


_WORD = re.compile(r"[\w.-]+")
"""A value of `speech.transcript` that could be a model's name."""


def _absolute(transcript: str) -> str:
    """Make a folder's name absolute, so that it is valid in workers in other folders; a model's name and `none` stay.

    Raises:
        UnknownModelError: it is a single word, and neither a model nor a folder.
    """
    if transcript == "none" or transcript in TRANSCRIBERS:
        return transcript
    folder = Path(transcript).expanduser().absolute()
    if _WORD.fullmatch(transcript) and not folder.exists():
        known = TRANSCRIBERS.unknown(("none", *TRANSCRIBERS.built_in))
        raise UnknownModelError(f"{known}; a folder with a model of Whisper for CTranslate2 will do, too")
    return str(folder)


class SpeechSettings(Settings):
    """Normalisation, denoising, encoding and transcription of the speech of a kept clip, in this order."""

    target_lufs: float = Field(default=-23.0, ge=-50.0, le=-5.0)
    """Integrated loudness of a clip's audio, LUFS. The default is the programme level of EBU R 128; GAIA A.2 names no
    number. A peak ceiling of -1 dBFS wins over it."""

    denoiser: Annotated[str, ModelName(DENOISERS, after=("none",))] = "deepfilternet3"
    """Denoiser of the normalised speech; `none` leaves the noise in. GAIA A.2 uses `denoiser`'s DNS64 (`dns64`; `dns48`
    is smaller, `master64` was trained on more data); DeepFilterNet 3 comes with its weights over the package index
    alone."""

    max_attenuation_db: float = Field(default=24.0, ge=0.0, le=100.0)
    """The most by which DeepFilterNet 3 may lower anything, dB; 100 sets no limit. Ours: it sets none itself, but with
    24 dB the speech is nearer to the clean one in most kinds of noise, and a voice that the model takes for noise is
    not lost; benchmarks/results/2026-11-speech.md has the figures."""

    encoder: Annotated[str, ModelName(ENCODERS, after=("none",))] = "whisper-tiny.en"
    """Speech encoder, which turns the denoised speech into features; `none` stores none. GAIA A.2 uses wav2vec 2.0;
    Whisper's encoder comes over the package index alone."""

    wav2vec2: Wav2Vec2Settings = Wav2Vec2Settings()
    """Checkpoint of wav2vec 2.0 and its layer, where it is the encoder."""

    transcript: Annotated[str, StringConstraints(min_length=1), AfterValidator(_absolute)] = "none"
    """Network that writes down what is said, words with their times, in the columns `transcript` and `words` of
    `clips`; no clip is dropped by it. `whisper-tiny.en` hears English alone; a folder with a model of Whisper for
    CTranslate2, such as `Systran/faster-whisper-small`, may hear other languages."""

    device: DeviceName = "auto"
    """Device of `denoiser`'s models and wav2vec 2.0: `auto` takes a GPU if there is one, `cpu`, `cuda` or `cuda:1`.
    DeepFilterNet 3 and Whisper run on the CPU."""

    @property
    def without_transcript(self) -> "SpeechSettings":
        """The same settings for speech of which nothing but its sound and features are needed."""
        return self.model_copy(update={"transcript": "none"})
