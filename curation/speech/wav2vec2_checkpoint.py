"""Checkpoints of wav2vec 2.0: settings, the folder of the files, their hash."""

import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from foundation.errors import CannotStartError
from foundation.packages import import_package
from foundation.settings import Settings
from foundation.text import count_text
from foundation.weights import asset_names, asset_path, path_digest
from manifests.record import WeightRecord
from manifests.timeline import AUDIO_RATE_HZ

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Wav2Vec2Settings",
    "check_config",
    "find_checkpoint",
    "hub_asset",
    "outside_weights",
]

_log = logging.getLogger(__name__)

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files that may hold the weights, the better one first."""


class CheckpointError(CannotStartError):
    """A checkpoint of wav2vec 2.0 is missing, or does not match the settings."""


def _absolute(model: str) -> str:
    """Make a folder's name one that workers in other folders understand."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else model


class Wav2Vec2Settings(Settings):
    """A checkpoint of wav2vec 2.0, and the layer and level to use."""

    model: Annotated[str, StringConstraints(min_length=1), AfterValidator(_absolute)] = "facebook/wav2vec2-base-960h"
    """Name on the Hugging Face hub, or a folder that holds config.json, preprocessor_config.json and the weights
    (model.safetensors or pytorch_model.bin). GAIA names wav2vec 2.0 without a checkpoint."""

    layer: Annotated[str, StringConstraints(pattern=r"^(cnn|context:[1-9][0-9]*)$")] = "context:12"
    """Output that is used: `context:K` after K layers of the transformer (the base size has 12, the large 24), or
    `cnn`, the 512 features of the convolutions before it."""

    normalisation: Literal["loudness", "peak"] = "loudness"
    """Scaling of the audio, where the checkpoint does not do that itself (`do_normalize` of its
    preprocessor_config.json): `loudness` leaves it at `speech.target_lufs`, `peak` makes the largest sample 0.35. Ours;
    InstructAvatar, of the same authors, has peaks of 0.3 to 0.4."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint on this machine."""

    name: str
    """Its name on the hub, or that of its folder."""
    folder: Path
    weights: Path
    """The file of `folder` that holds the weights."""
    sha256: str
    """Of the lines ``<sha256>  <name>`` of its files, as for an asset that is a folder."""
    do_normalize: bool
    """Whether the audio is scaled to mean 0 and variance 1."""


def hub_asset(model: str) -> list[str]:
    """Return the asset of the registry that is the checkpoint `model`, if one is: it has the hub's name."""
    return [model] if model in asset_names() else []


def outside_weights(settings: Wav2Vec2Settings) -> list[WeightRecord]:
    """Return the record of the checkpoint, if it is none of the asset registry's; one of the hub is fetched.

    Raises:
        CheckpointError: see `find_checkpoint`.
        MissingPackageError: transformers is not installed.
    """
    if hub_asset(settings.model):
        return []
    found = find_checkpoint(settings.model)
    check_config(found.folder, settings.layer)
    return [
        WeightRecord(
            name=settings.model, role="speech", sha256=found.sha256, licence="that of its source", commercial_use=None
        )
    ]


def find_checkpoint(model: str) -> Checkpoint:
    """Return the checkpoint that the setting `model` names.

    A folder is taken as it is. A name of the hub is looked for in the asset registry, then in the folder of that name
    in `GAIA_MODELS`, then through huggingface_hub, whose cache and settings are honoured.

    Raises:
        CheckpointError: it is not there, cannot be fetched, or lacks files.
        MissingAssetsError: it is an asset of the registry and not on this machine.
        MissingPackageError: it is to be fetched and huggingface_hub, which comes with transformers, is not installed.
    """
    folder = asset_path(model) if hub_asset(model) else _outside_folder(model)
    weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if weights is None or not (folder / "config.json").is_file():
        raise CheckpointError(
            f"speech.wav2vec2.model: {folder} holds no checkpoint of wav2vec 2.0; it needs config.json, "
            f"preprocessor_config.json and {' or '.join(_WEIGHTS)}, as transformers' save_pretrained writes them"
        )
    return Checkpoint(
        name=folder.name if Path(model).is_absolute() else model,
        folder=folder,
        weights=weights,
        sha256=_folder_sha256(folder, weights.name),
        do_normalize=_do_normalize(folder),
    )


def check_config(folder: Path, layer: str) -> None:
    """Check that the checkpoint in `folder` is one of wav2vec 2.0 and has the layer that the settings name.

    Raises:
        CheckpointError: it is not, or has not.
    """
    config = _read_json(folder / "config.json")
    if config.get("model_type") != "wav2vec2":
        raise CheckpointError(
            f"speech.wav2vec2.model: {folder}/config.json says model_type {config.get('model_type')!r}, not 'wav2vec2'"
        )
    n_layers = config.get("num_hidden_layers", 12)
    if layer != "cnn" and int(layer.removeprefix("context:")) > int(str(n_layers)):
        raise CheckpointError(
            f"speech.wav2vec2.layer is {layer!r}, but the transformer of {folder} has "
            f"{count_text(int(str(n_layers)), 'layer')}; give context:1 to context:{n_layers}, or cnn"
        )


def _outside_folder(model: str) -> Path:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_NAME.fullmatch(model):
        raise CheckpointError(
            f"speech.wav2vec2.model is {model!r}: there is no such folder, and names on the Hugging Face hub look like "
            "facebook/wav2vec2-base-960h"
        )
    mirror = os.environ.get("GAIA_MODELS")
    if mirror and (Path(mirror).expanduser() / model).is_dir():
        return Path(mirror).expanduser() / model
    return _from_hub(model)


def _from_hub(model: str) -> Path:
    hub = import_package("huggingface_hub")
    try:
        for weights in _WEIGHTS:
            folder = Path(
                hub.snapshot_download(model, allow_patterns=["config.json", "preprocessor_config.json", weights])
            )
            if (folder / weights).is_file():
                break
    except Exception as error:
        raise CheckpointError(
            f"speech.wav2vec2.model is {model!r}: there is no such folder, and the Hugging Face hub does not give it "
            f"({type(error).__name__}: {error}). Ways to continue: let this machine reach the hub; put "
            f"config.json, preprocessor_config.json and {_WEIGHTS[0]} of the checkpoint into "
            f"GAIA_MODELS/{model}; or name their folder"
        ) from error
    return folder


def _folder_sha256(folder: Path, weights: str) -> str:
    names = sorted(name for name in ("config.json", "preprocessor_config.json", weights) if (folder / name).is_file())
    lines = "".join(f"{path_digest(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def _do_normalize(folder: Path) -> bool:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        _log.warning("%s is missing: the audio gets mean 0 and variance 1, the default of transformers", path)
        return True
    values = _read_json(path)
    if values.get("sampling_rate", AUDIO_RATE_HZ) != AUDIO_RATE_HZ:
        raise CheckpointError(f"{path} asks for audio at {values['sampling_rate']} Hz; ours is at {AUDIO_RATE_HZ}")
    return bool(values.get("do_normalize", True))


def _read_json(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__}, not a mapping")
    return values
