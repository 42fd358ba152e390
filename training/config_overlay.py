"""Values of a YAML file laid over a frozen config: only known names, only values of the right type.

A config is a frozen dataclass whose fields are numbers, text, closed sets (`Literal`), tuples, other such dataclasses,
or one of these or None.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from foundation.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["ConfigError", "overlaid", "require_known"]

_NUMBER = re.compile(r"[+-]?\d+((\.\d*)?[eE][+-]?\d+)?")
"""A whole number, or one that YAML 1.1, which the library reads, takes for text: 1e-4."""

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")


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
