"""The configuration of a run as a whole, and how a file and `--set` options change it."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import yaml
from pydantic import BaseModel, Field, JsonValue, ValidationError

from curation.analysis.windows import WindowSettings
from curation.decision.decide import RulesSettings
from curation.media.settings import MediaSettings
from curation.perception.settings import PerceptionSettings
from curation.rendering.crop import CropSettings
from curation.rendering.settings import RenderSettings
from curation.speech.settings import SpeechSettings
from foundation.errors import UsageError
from foundation.settings import Settings
from manifests.packing.pack import StorageSettings

__all__ = ["PRESETS", "ConfigError", "CurationSettings", "PresetName", "SplitSettings", "differences", "load_settings"]

PresetName = Literal["embedded", "paper"]


class ConfigError(UsageError):
    """A setting is unknown, or its value is out of range."""


class SplitSettings(Settings):
    """How clips are divided into train, val and test: by speaker, so that no face is in two of them."""

    val_share: float = Field(default=0.05, ge=0.0, le=0.5)
    """Share of the speakers whose clips are for validation. Ours."""
    test_share: float = Field(default=0.05, ge=0.0, le=0.5)
    """Share of the speakers whose clips are for tests. Ours."""


class CurationSettings(Settings):
    """Everything that decides what a dataset holds. `dataset.json` records it in full."""

    preset: PresetName = "embedded"
    """The set of defaults that the other settings began with; only the option `--preset` chooses it."""
    media: MediaSettings = MediaSettings()
    perception: PerceptionSettings = PerceptionSettings()
    rules: RulesSettings = RulesSettings()
    crop: CropSettings = CropSettings()
    speech: SpeechSettings = SpeechSettings()
    split: SplitSettings = SplitSettings()
    windows: WindowSettings = WindowSettings()
    storage: StorageSettings = StorageSettings()

    @property
    def rendering(self) -> RenderSettings:
        """The part of these settings that rendering reads."""
        return RenderSettings(crop=self.crop, media=self.media, min_speech_prob=self.rules.silence.min_speech_prob)


PRESETS: Mapping[PresetName, CurationSettings] = {
    "embedded": CurationSettings(),
    "paper": CurationSettings(
        preset="paper",
        # the SSD costs 25 times the embedded network, and nobody wears a mask for less than half a second
        perception=PerceptionSettings(faces="scrfd", pose="3ddfa_mb1", identity="auto", mask="ssd", mask_stride=12),
        speech=SpeechSettings(denoiser="dns64", encoder="wav2vec2"),
    ),
}
"""By name: `embedded`, whose weights come over the Python package index alone, and `paper`, the paper's own models.
Only the models differ, and how often the dear one looks: the rules and their limits are the same."""


def load_settings(base: CurationSettings, file: Path | None, overrides: Sequence[str]) -> CurationSettings:
    """Return settings `base`, changed by a YAML file and then by ``dotted.name=value`` overrides.

    Raises:
        ConfigError: a file that is not YAML, an unknown setting, a value of the wrong type or out of range. The message
            names the setting, the value, what is allowed, and the nearest known name.
    """
    values: dict[str, JsonValue] = base.model_dump(mode="json")
    if file is not None:
        _merge(values, _read_yaml(file))
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override!r}: write NAME=VALUE, such as rules.frontal.strict_deg=15")
        try:
            value: JsonValue = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is no YAML: {error}") from error
        for part in reversed(name.strip().split(".")):
            value = {part: value}
        _merge(values, cast("dict[str, JsonValue]", value))
    if values["preset"] != base.preset:
        raise ConfigError(
            f"setting 'preset' is {values['preset']!r}, but these are changes to the preset {base.preset!r}: only "
            "`gaia-curate run --preset` chooses it, because the other defaults follow from it"
        )
    try:
        return CurationSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explained(error))) from None


def differences(ours: CurationSettings, theirs: CurationSettings) -> list[str]:
    """Return one line per setting that differs, such as ``rules.frontal.strict_deg: 15.0, was 25.0``."""
    mine, other = dict(_leaves(ours)), dict(_leaves(theirs))
    return [f"{name}: {value}, was {other[name]}" for name, value in mine.items() if value != other[name]]


def _read_yaml(file: Path) -> dict[str, JsonValue]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"--config {file}: cannot be read as YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"--config {file}: holds a {type(values).__name__}; it must be a mapping of settings")
    return values


def _merge(values: dict[str, JsonValue], changes: Mapping[str, JsonValue]) -> None:
    """Change nested values in place; a section is changed name by name."""
    for name, change in changes.items():
        inner = values.get(name)
        if isinstance(inner, dict) and isinstance(change, dict):
            _merge(inner, change)
        else:
            values[name] = change


def _leaves(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _explained(error: ValidationError) -> Iterator[str]:
    known = [name for name, _ in _leaves(CurationSettings())]
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            yield f"setting {name!r} is unknown; the nearest known one is {near[0]!r}"
        else:
            yield f"setting {name!r} is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
