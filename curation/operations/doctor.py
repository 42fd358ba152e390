"""Inventory of this machine for each preset: packages and weights, their version or path, device and licence."""

import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from curation.model_cards import ModelCard
from curation.model_registry import find_plugins, registered_models, setting_of
from curation.output.weights_used import model_cards, needed_assets, wanted_assets
from curation.perception.models import optional_cards
from curation.settings import PRESETS, PresetName
from foundation.devices import cuda_devices, onnx_providers, resolve_device, torch_device
from foundation.packages import install_command
from foundation.text import megabytes, text_table
from foundation.weights import asset_record
from foundation.weights.inspection import AssetStatus, asset_statuses
from foundation.weights.missing import ways_on

__all__ = ["Component", "Examination", "examine"]

_FIRST_PACKAGES = {"av": "decoding, encoding", "opencv-contrib-python": "images"}
"""Packages that every preset needs, besides those of its models, and what for."""

_LAST_PACKAGES = {"duckdb": "queries", "pyarrow": "tables", "ray": "workers"}
"""The same, listed after those of the models."""

_UNSTATED_LICENCES = {"insightface": "MIT"}
"""Licences of packages whose metadata name none."""

_WEIGHTS = "weights"
"""Role of every asset."""

_OWN = "own model"
"""Role of every model that is registered, before its kind."""

_LICENCE_CHARACTERS = 96
"""Some packages name a dozen; what is longer is cut in the table."""

_NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b|-NC-", re.IGNORECASE)

_COMMERCIAL = re.compile(r"MIT|BSD|Apache|Boost|ISC|MPL|CC0", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """Package, weight file or registered model that a run can use."""

    name: str
    role: str
    presets: tuple[PresetName, ...]
    required: bool
    """False for what has a stand-in."""
    found: bool
    damaged: bool
    """Whether they are weights whose file is there and is another one."""
    detail: str
    """Version of a package; path or size of weights; the setting that selects a model."""
    device: str
    """Its device with the setting `auto`; empty for components that run no model."""
    licence: str
    commercial_use: bool | None
    """Whether the licence allows commercial use; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """All components of all presets."""

    components: tuple[Component, ...]
    gpus: int
    """Number of GPUs that NVIDIA's driver shows."""

    def missing(self, preset: PresetName) -> list[Component]:
        """Return the required components that are missing, weights that a run would fetch included."""
        return [c for c in self.components if c.required and not c.found and preset in c.presets]

    @property
    def usable(self) -> bool:
        """True if at least one preset has all of its components."""
        return any(not self.missing(preset) for preset in PRESETS)

    def text(self) -> str:
        """Return a table for people, and the remedies for missing components."""
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
        lines = [f"--preset {preset}: missing {', '.join(c.name for c in missing)}"]
        lines += [f"  {install_command(c.name)}" for c in missing if c.role != _WEIGHTS]
        if any(c.damaged for c in missing):
            lines.append("  gaia-curate models verify")
            lines.append("    names the damaged files; delete them before anything below")
        if weights := [asset_record(c.name) for c in missing if c.role == _WEIGHTS]:
            lines += ways_on(weights)
        lines += [f"  --preset {other}, for which everything is here" for other in PRESETS if not self.missing(other)]
        return lines


def examine() -> Examination:
    """Find every component of the presets and of registered models; no model is loaded, nothing is downloaded."""
    find_plugins()
    cards = {preset: model_cards(settings) for preset, settings in PRESETS.items()}
    all_cards = [*(card for used in cards.values() for card in used), *optional_cards(PRESETS["paper"].perception)]
    devices = {name: _device(card) for card in all_cards for name in card.asset_names}
    users: dict[str, list[PresetName]] = {}
    for preset, settings in PRESETS.items():
        for name in wanted_assets(settings):
            users.setdefault(name, []).append(preset)
    needed = {name for settings in PRESETS.values() for name in needed_assets(settings)}
    weights = [
        _weights(status, users[status.asset.name], devices[status.asset.name], required=status.asset.name in needed)
        for status in asset_statuses(users)
    ]
    own = [_own_model(card) for card in registered_models()]
    return Examination(components=(*_packages(cards), *weights, *own), gpus=cuda_devices())


def _packages(cards: Mapping[PresetName, Sequence[ModelCard]]) -> list[Component]:
    """Return the packages that the presets need, given the models of each."""
    everywhere = tuple(cards)
    components = [_package(name, role, everywhere, "") for name, role in _FIRST_PACKAGES.items()]
    for name in dict.fromkeys(name for used in cards.values() for card in used for name in card.all_packages):
        users = {preset: [card for card in used if name in card.all_packages] for preset, used in cards.items()}
        users = {preset: found for preset, found in users.items() if found}
        run_by_it = [card for found in users.values() for card in found if card.runtime == name]
        # where one of its models can use a GPU, the package has to
        device = _device(max(run_by_it, key=lambda card: card.on_gpu)) if run_by_it else ""
        role = ", ".join(dict.fromkeys(card.kind for found in users.values() for card in found))
        components.append(_package(name, role, tuple(users), device))
    return components + [_package(name, role, everywhere, "") for name, role in _LAST_PACKAGES.items()]


def _package(name: str, role: str, presets: tuple[PresetName, ...], device: str) -> Component:
    found, version, licence = True, "", _UNSTATED_LICENCES.get(name, "")
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        found = False
    else:
        version = metadata["Version"]
        stated = [metadata[key] for key in ("License-Expression", "License") if metadata[key]]
        classifiers = metadata.get_all("Classifier") or []
        stated += [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License")]
        # Some packages put the complete text of the licence there.
        licence = (stated[0].splitlines()[0] if stated else licence) or "see the package"
    return Component(
        name=name,
        role=role,
        presets=presets,
        required=True,
        found=found,
        damaged=False,
        detail=version,
        device=device,
        licence=licence,
        commercial_use=_allows_commercial_use(licence),
    )


def _allows_commercial_use(licence: str) -> bool | None:
    if _NON_COMMERCIAL.search(licence):
        return False
    return True if _COMMERCIAL.search(licence) else None


def _weights(status: AssetStatus, presets: Sequence[PresetName], device: str, *, required: bool) -> Component:
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
        damaged=bool(status.problem),
        detail=detail,
        device=device,
        licence=asset.licence,
        commercial_use=asset.commercial_use,
    )


def _own_model(card: ModelCard) -> Component:
    statuses = asset_statuses(card.asset_names)
    missing = [package for package in card.all_packages if not _is_installed(package)]
    missing += [status.asset.name for status in statuses if status.path is None]
    assets = [status.asset for status in statuses]
    return Component(
        name=card.name,
        role=f"{_OWN}: {card.kind}",
        presets=(),
        required=False,
        found=not missing,
        damaged=False,
        detail=f"needs {', '.join(missing)}" if missing else f"--set {setting_of(card)}={card.name}",
        device=_device(card),
        licence=", ".join(asset.licence for asset in assets),
        commercial_use=all(asset.commercial_use for asset in assets) if assets else None,
    )


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _device(card: ModelCard) -> str:
    """Return the device of a model with the setting `auto`."""
    if not card.on_gpu:
        return "cpu"
    device = resolve_device("auto")
    if card.runtime == "torch":
        return torch_device(device)
    if card.runtime != "onnxruntime":
        return str(device)
    first = onnx_providers(device)[0]
    return first if isinstance(first, str) else f"{first[0]} {first[1]['device_id']}"
