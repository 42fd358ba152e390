"""Which checkpoint of wav2vec 2.0 speaks for a run: its settings, its folder, its hash."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from curation.settings import Settings

__all__ = ["Wav2Vec2Settings"]


class Wav2Vec2Settings(Settings):
    """A checkpoint of wav2vec 2.0 and what is taken from it."""

    model: str = "facebook/wav2vec2-base-960h"
    """Name on the Hugging Face hub, or a folder that holds config.json, preprocessor_config.json and the weights
    (model.safetensors or pytorch_model.bin). GAIA names wav2vec 2.0 without a checkpoint."""

    layer: Annotated[str, StringConstraints(pattern=r"^(cnn|context:[0-9]+)$")] = "context:12"
    """Which output: `context:K` after K layers of the transformer (the base size has 12, the large 24), or `cnn`, the
    512 features of the convolutions before it."""

    normalisation: Literal["loudness", "peak"] = "loudness"
    """How loud the sound is made where the checkpoint does not do that itself (`do_normalize` of its
    preprocessor_config.json): `loudness` leaves it at `speech.target_lufs`, `peak` makes the largest sample 0.35. Ours;
    InstructAvatar, of the same authors, has peaks of 0.3 to 0.4."""
