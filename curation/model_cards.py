"""Model cards: what is known of a model before it is loaded."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from foundation.storage.digest import file_sha256
from foundation.weights import Asset
from manifests.record import WeightRecord

__all__ = ["ModelCard", "Role", "file_weights", "nothing", "package_weights"]

Role = Literal["perception", "speech"]
"""The stage of the pipeline that uses a model."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts about a model, or about one of the networks that a model runs."""

    kind: str
    """Its use, such as `faces` or `identity`."""
    name: str
    """Value of the setting that chooses it."""
    assets: tuple[str | Asset, ...] = ()
    """Its weights in the asset registry: names, or records that registering the model adds to it. The records have the
    licence."""
    runtime: str = ""
    """Package that runs it, by its name on the package index, such as `onnxruntime`; empty for NumPy alone."""
    packages: tuple[str, ...] = ()
    """Other packages that it needs, by their names on the package index."""
    on_gpu: bool = False
    """Whether it runs on the device that the setting `device` of its section names; the CPU otherwise."""

    @property
    def asset_names(self) -> tuple[str, ...]:
        """Names of its weights in the asset registry."""
        return tuple(asset if isinstance(asset, str) else asset.name for asset in self.assets)

    @property
    def all_packages(self) -> tuple[str, ...]:
        """The package that runs it, if any, and the other packages that it needs."""
        return tuple(dict.fromkeys((*filter(None, [self.runtime]), *self.packages)))


def nothing(_settings: object) -> tuple[()]:
    """Return no networks or weights, whatever the settings."""
    return ()


def file_weights(name: str, role: Role, path: Path, licence: str, *, commercial_use: bool | None) -> WeightRecord:
    """Return the record of a weight file outside the asset registry; the file is hashed.

    Args:
        name: of the weights in `dataset.json`.
        role: the stage of the pipeline that uses them.
        path: the file.
        licence: of the weights.
        commercial_use: whether the licence allows it; None where that is not known.

    Raises:
        OSError: the file cannot be read.
    """
    return WeightRecord(name=name, role=role, sha256=file_sha256(path), licence=licence, commercial_use=commercial_use)


def package_weights(package: str, role: Role, path: Path, licence: str) -> WeightRecord:
    """Return the record of a weight file inside an installed package, whose licence allows commercial use.

    Raises:
        OSError: the file cannot be read.
    """
    name = f"{package} {importlib.metadata.version(package)}: {path.name}"
    return file_weights(name, role, path, licence, commercial_use=True)
