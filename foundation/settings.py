"""The settings of a run: a preset, a YAML file laid over it, and single values laid over both.

A trainer's settings are one frozen dataclass with the sections that it needs, one of which is `train`, a `TrainConfig`.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict

from foundation.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "ConfigError",
    "Setting",
    "Settings",
    "differences",
    "load_run_config",
    "overlaid",
    "require_known",
    "settings_of",
]

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


class Settings(BaseModel):
    """One component's settings. Each field's docstring gives unit and origin of the default."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )


_NUMBER = re.compile(r"[+-]?\d+((\.\d*)?[eE][+-]?\d+)?")
"""A whole number, or one that YAML 1.1, which the library reads, takes for text: 1e-4."""


class ConfigError(UsageError):
    """A name is unknown or a value is not allowed; the message has both, and what is allowed."""


def overlaid(base: ConfigT, values: object, where: str) -> ConfigT:
    """Return a config in which `values`, nested like the config, replace those of `base`.

    Args:
        base: a frozen dataclass.
        values: mapping by field name; for a field that is a config itself, such a mapping again.
        where: file and dotted name of `values`, for messages.

    Raises:
        ConfigError: a name is no field of the config, a value is of another type than its field, or the config refuses
            it.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {values!r}; give names and values, such as those of {type(base).__name__}")
    require_known(values, [field.name for field in fields(base)], where)
    hints = get_type_hints(type(base))
    changed = {
        name: _typed(hints[name], value, getattr(base, name), f"{where}.{name}") for name, value in values.items()
    }
    try:
        return replace(base, **changed)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def require_known(given: Collection[str], known: Collection[str], where: str) -> None:
    """Refuse names that are not known.

    Raises:
        ConfigError: naming the first unknown one and the known one nearest to it.
    """
    for name in given:
        if name not in known:
            (nearest,) = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
            raise ConfigError(f"{where}.{name} is unknown; did you mean {nearest!r}? known are {', '.join(known)}")


def _typed(kind: Any, value: object, old: Any, where: str) -> object:  # noqa: ANN401 - a type as `get_type_hints` gives it
    """Return `value` as one of type `kind`: lists as tuples of one type, whole numbers as floats."""
    choices = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    if value is None and type(None) in choices:
        return None
    (kind,) = (choice for choice in choices if choice is not type(None))
    if is_dataclass(kind):
        return overlaid(old, value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value in arguments:
            return value
        raise ConfigError(f"{where} is {value!r}; give one of {', '.join(map(repr, arguments))}")
    if origin is tuple and isinstance(value, list):
        if arguments[-1] is Ellipsis or len(arguments) == len(value):
            return tuple(_typed(arguments[0], item, None, f"{where}[{at}]") for at, item in enumerate(value))
    elif kind is float and _NUMBER.fullmatch(str(value) if type(value) in {int, str} else ""):
        return float(str(value))
    elif origin is None and type(value) is kind:  # not isinstance: True is no whole number here
        return value
    raise ConfigError(f"{where} is {value!r}; give a value of type {kind.__name__ if origin is None else kind}")
