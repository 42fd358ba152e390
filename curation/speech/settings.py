"""Settings of everything that is done to the speech of a kept clip (GAIA A.2)."""

from typing import Annotated

from pydantic import Field

from curation.model_registry import DENOISERS, ENCODERS, ModelName
from curation.speech.wav2vec2_checkpoint import Wav2Vec2Settings
from foundation.devices import DeviceName
from foundation.settings import Settings

__all__ = ["SpeechSettings"]


class SpeechSettings(Settings):
    """Normalisation, denoising and encoding of the speech of a kept clip, in this order."""

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

    device: DeviceName = "auto"
    """Device of `denoiser`'s models and wav2vec 2.0: `auto` takes a GPU if there is one, `cpu`, `cuda` or `cuda:1`.
    DeepFilterNet 3 and Whisper's encoder run on the CPU."""
