"""Settings: a preset, a YAML file laid over it, and single values laid over both.

Settings are sections of named values. A section is a pydantic model (`Settings`) or a frozen dataclass (`Section`, or
any other one); both kinds are loaded, compared and written by the functions here.
"""

import difflib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from foundation.errors import UsageError
from foundation.setting_facts import adapter_of, setting_facts
from foundation.storage.regular_files import open_regular

__all__ = [
    "Overrides",
    "Section",
    "Setting",
    "Settings",
    "SettingsError",
    "changed_settings",
    "differences",
    "overlaid",
    "read_yaml",
    "require_known",
    "restored",
    "setting_leaves",
    "settings_of",
]

SettingsT = TypeVar("SettingsT")

Setting = str | int | float | bool | None | list["Setting"] | dict[str, "Setting"]
"""A value as JSON has it."""

_MOST_LISTED = 20
"""Known names that a message lists; of more, the nearest."""

Overrides = Sequence[str] | Mapping[str, object]
"""Changes to settings: ``NAME=VALUE`` as the option `--set` takes them, or values by dotted name."""


class SettingsError(UsageError):
    """A setting is unknown or its value is not allowed; the message has the name, the value and what is allowed."""


class Settings(BaseModel):
    """Section of settings as a pydantic model. Each field's docstring gives unit and origin of the default."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )


class Section:
    """Base of a section of settings that is a frozen dataclass, such as the config of a network.

    The type of a field has its limits, as in ``Annotated[int, Field(ge=1)]``; its docstring gives unit and origin of
    the default. A subclass with a `__post_init__` of its own calls `Section.__post_init__(self)` there.
    """

    __slots__ = ()

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    def __post_init__(self) -> None:
        """Check the limits of each field.

        Raises:
            ValueError: a value is not allowed; the message names the field and what is allowed.
        """
        _check_limits(self, type(self))


def _check_limits(section: object, kind: type) -> None:
    for name, limited in _limited_fields(kind).items():
        value = getattr(section, name)
        try:
            limited.validate_python(value)
        except ValidationError:
            raise ValueError(f"{name} is {value!r}; give {setting_facts(kind)[name].allowed()}") from None


@cache
def _limited_fields(kind: type) -> dict[str, TypeAdapter[Any]]:
    plain, full = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    return {name: TypeAdapter(hint) for name, hint in full.items() if hint != plain[name]}


def changed_settings(base: SettingsT, file: Path | None = None, overrides: Overrides = ()) -> SettingsT:
    """Return the settings `base`, changed by a YAML file and then by overrides.

    Args:
        base: the settings of a preset.
        file: YAML file with some of the settings, nested as they are.
        overrides: ``dotted.name=value``, the value as YAML; or values by dotted name.

    Raises:
        SettingsError: a file that is no YAML, an unknown name, a value of the wrong type or out of range. The message
            has the name, the value, what is allowed, and the nearest known name.
    """
    values = settings_of(base)
    if file is not None:
        _merge(values, read_yaml(file), f"--config {file}: ")
    if isinstance(overrides, str):  # a sequence of texts, too, each of one letter
        raise SettingsError(f"overrides are {overrides!r}; give a list of such texts, or values by dotted name")
    *_, (name, value) = setting_leaves(values)
    example = f"{name}={json.dumps(value)}"
    pairs = overrides.items() if isinstance(overrides, Mapping) else (_pair(text, example) for text in overrides)
    for name, value in pairs:
        nested = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        _merge(values, nested, "")
    return _validated(type(base), values, "")


def overlaid(base: SettingsT, values: object, where: str) -> SettingsT:
    """Return settings in which `values`, nested like the settings, replace those of `base`.

    Args:
        base: a section.
        values: values by name; for a field that is a section itself, such a mapping again.
        where: origin of `values`, for messages, such as a file's name.

    Raises:
        SettingsError: a name is unknown or a value is not allowed.
    """
    merged = settings_of(base)
    _merge(merged, values, f"{where}: ")
    return _validated(type(base), merged, f"{where}: ")


def restored(kind: type[SettingsT], values: object, where: str) -> SettingsT:
    """Return the settings of class `kind` whose JSON form is `values`, as a record has them.

    A missing value is not given its default: the default may have changed since the record was written.

    Raises:
        SettingsError: a value is missing, unknown or not allowed; the message begins with `where`.
    """
    settings = _validated(kind, values, f"{where}: ")
    recorded, current = ({name for name, _ in setting_leaves(tree)} for tree in (values, settings_of(settings)))
    problems = [f"setting {name!r} is missing" for name in sorted(current - recorded)]
    problems += [f"setting {name!r} is unknown" for name in sorted(recorded - current)]
    if problems:
        raise SettingsError(f"{where}: {'; '.join(problems)}")
    return settings


def settings_of(settings: object) -> dict[str, Setting]:
    """Return settings as JSON has them, lists for tuples."""
    values: dict[str, Setting] = adapter_of(type(settings)).dump_python(settings, mode="json")
    return values


def differences(ours: Mapping[str, Setting], theirs: Mapping[str, Setting]) -> dict[str, str]:
    """Return the settings that differ by dotted name, such as ``{"vae.width": "128, was 16"}``.

    >>> differences({"vae": {"width": 128}, "data": {}}, {"vae": {"width": 16}, "data": {"where": None}})
    {'data.where': 'absent, was None', 'vae.width': '128, was 16'}
    """
    mine, other = dict(setting_leaves(ours)), dict(setting_leaves(theirs))
    return {
        name: f"{mine.get(name, 'absent')}, was {other.get(name, 'absent')}"
        for name in sorted({*mine, *other})
        if (name in mine) != (name in other) or mine.get(name) != other.get(name)
    }


def setting_leaves(values: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value of nested settings with its dotted name.

    >>> list(setting_leaves({"vae": {"width": 128, "multipliers": [1, 2]}}))
    [('vae.width', 128), ('vae.multipliers', [1, 2])]
    """
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from setting_leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def require_known(given: Iterable[str], known: Collection[str], where: str, prefix: str = "") -> None:
    """Refuse names that are not known.

    Args:
        given: names.
        known: all names that are allowed.
        where: beginning of the message, such as "setting".
        prefix: beginning of a name for the message, such as ``rules.frontal.``.

    Raises:
        SettingsError: naming the first unknown one and those nearest to it, or all where they are few.
    """
    for name in given:
        if name not in known:
            nearest, *others = difflib.get_close_matches(str(name), known, n=4, cutoff=0.0)
            rest = f"known: {', '.join(known)}"
            if len(known) > _MOST_LISTED:
                rest = f"then {', '.join(others)}; the command `settings` lists all {len(known)}"
            named, known_one = (f"{prefix}{one}" for one in (name, nearest))
            raise SettingsError(f"{where} {named!r} is unknown; the nearest known one is {known_one!r} ({rest})")


_PROBLEMS = {
    **dict.fromkeys(("missing", "missing_argument", "missing_keyword_only_argument"), "missing"),
    **dict.fromkeys(("extra_forbidden", "unexpected_keyword_argument"), "unknown"),
}
"""Words for pydantic's types of errors about names."""


class _Loader(yaml.SafeLoader):
    """Loader of YAML in which 1e-4 is a number; for the library, which reads YAML 1.1, it is text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)


def read_yaml(file: Path) -> object:
    """Return the content of a YAML file of settings; an empty one has none.

    Raises:
        SettingsError: the file cannot be read, or is no YAML.
    """
    try:
        with open_regular(file) as opened:
            content = _parsed(opened.read().decode())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"--config {file}: cannot be read as YAML: {error}") from error
    return {} if content is None else content


def _parsed(text: str) -> object:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


def _pair(override: str, example: str) -> tuple[str, object]:
    name, equals, text = override.partition("=")
    if not equals:
        raise SettingsError(f"--set {override!r}: write NAME=VALUE, such as {example}")
    try:
        return name.strip(), _parsed(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {override!r}: the value is no YAML: {error}") from error


def _merge(values: dict[str, Setting], changes: object, where: str, prefix: str = "") -> None:
    """Change nested values in place; a section is changed name by name."""
    if not isinstance(changes, Mapping):
        name = f"setting {prefix.rstrip('.')!r} is " if prefix else ""
        raise SettingsError(f"{where}{name}{changes!r}; give names and values, of {', '.join(values)}")
    require_known(changes, values, f"{where}setting", prefix)
    for name, change in changes.items():
        section = values[name]
        if isinstance(section, dict):
            _merge(section, change, where, f"{prefix}{name}.")
        elif isinstance(change, float) and not math.isfinite(change):
            raise SettingsError(f"{where}setting {f'{prefix}{name}'!r} is {change}; give a finite number")
        else:
            values[name] = change


def _validated(kind: type[SettingsT], values: object, where: str) -> SettingsT:
    try:
        # as JSON, for which strict means: lists as tuples, mappings as sections, but True is no number, nor "1"
        settings: SettingsT = adapter_of(kind).validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise SettingsError(where + "; ".join(_explained(error, kind))) from error
    return settings


def _explained(error: ValidationError, kind: type) -> Iterator[str]:
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in _PROBLEMS:
            yield f"setting {name!r} is {_PROBLEMS[problem['type']]}"
            continue
        if isinstance(problem["input"], Mapping):  # of a section: values that do not fit together
            yield f"setting {name!r}: {message}" if name else f"{kind.__name__}: {message}"
            continue
        facts = setting_facts(kind).get(name)
        allowed = f"; allowed is {facts.allowed()}" if facts and not facts.choices else ""
        yield f"setting {name!r} is {problem['input']!r}: {message}{allowed}"
