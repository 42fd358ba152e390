"""The settings of a run: a preset, a YAML file laid over it, and single values laid over both.

A trainer's settings are one frozen dataclass with the sections that it needs, one of which is `train`, a `TrainConfig`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from training.config_overlay import ConfigError, overlaid

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Setting", "differences", "load_run_config", "settings_of"]

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")

Setting = str | int | float | bool | None | list["Setting"] | dict[str, "Setting"]
"""A value as JSON has it."""


def load_run_config(base: ConfigT, file: Path | None, overrides: Sequence[str]) -> ConfigT:
    """Return the settings `base`, changed by a YAML file and then by ``dotted.name=value`` overrides.

    Raises:
        ConfigError: a file that is no YAML, an unknown name, a value of the wrong type or out of range; the message has
            the name, the value, what is allowed, and the nearest known name.
    """
    import yaml

    if file is not None:
        try:
            values = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"--config {file}: cannot be read as YAML: {error}") from error
        base = overlaid(base, values or {}, f"--config {file}: settings")
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override!r}: write NAME=VALUE, such as train.steps=1000")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is no YAML: {error}") from error
        for part in reversed(name.strip().split(".")):
            value = {part: value}
        base = overlaid(base, value, "--set settings")
    return base


def settings_of(config: "DataclassInstance") -> dict[str, Setting]:
    """Return a config as JSON has it, lists for tuples."""
    settings = _plain(asdict(config))
    if not isinstance(settings, dict):
        raise TypeError(f"{config!r} is no config")
    return settings


def differences(ours: Mapping[str, Setting], theirs: Mapping[str, Setting]) -> dict[str, str]:
    """Return what differs by dotted name, such as ``{"vae.width": "128, was 16"}``.

    >>> differences({"vae": {"width": 128}, "data": {}}, {"vae": {"width": 16}, "data": {"where": None}})
    {'data.where': 'absent, was None', 'vae.width': '128, was 16'}
    """
    mine, other = dict(_leaves(ours)), dict(_leaves(theirs))
    return {
        name: f"{mine.get(name, 'absent')}, was {other.get(name, 'absent')}"
        for name in sorted({*mine, *other})
        if (name in mine) != (name in other) or mine.get(name) != other.get(name)
    }


def _plain(value: object) -> Setting:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _leaves(settings: Mapping[str, Setting], prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
