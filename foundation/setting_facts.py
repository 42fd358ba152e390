"""Facts about each setting, read from its declaration: allowed values, unit and meaning.

A declaration is a field of a pydantic model or of a frozen dataclass. Its type has the limits, its docstring the
meaning, and the end of its name the unit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import JsonValue, TypeAdapter

__all__ = ["SettingFacts", "adapter_of", "setting_facts"]

_UNITS = {
    "_deg": "degrees",
    "_px": "px",
    "_s": "s",
    "_ticks": "ticks of 40 ms",
    "start_step": "",
    "_step": "face widths",
    "_prob": "probability",
    "_score": "score",
    "_ratio": "ratio",
    "_share": "share",
    "_lufs": "LUFS",
    "_db": "dB",
    "key_frame_every": "frames",
    "_overlap": "ratio",
    "_threads": "threads",
    "_mb": "MB",
    "_gib": "GiB",
    "_steps": "steps",
    "_frames": "frames",
    "_every": "steps",
}
"""Units by the end of a setting's name; the first that fits counts."""

_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
    "multipleOf": "a multiple of",
}
"""Words for the bounds of a JSON schema."""

_TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingFacts:
    """The declaration of one setting."""

    name: str
    """Dotted name, such as ``rules.frontal.strict_deg``."""
    choices: tuple[str, ...]
    """All allowed values, where they are few."""
    limits: str
    """Allowed values in words, such as ``whole number, at least 1``; empty where `choices` has all of them."""
    unit: str
    """Empty where there is none."""
    meaning: str

    def allowed(self, quote: str = "'") -> str:
        """Return the allowed values in words, choices between `quote` marks."""
        words = [f"{quote}{choice}{quote}" for choice in self.choices]
        return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:], self.limits]))


def adapter_of(kind: type) -> TypeAdapter[Any]:
    """Return pydantic's adapter of a settings class; it is made once for each class."""
    return _adapter(kind)


def setting_facts(kind: type) -> Mapping[str, SettingFacts]:
    """Return the facts about all settings of a settings class by dotted name, those of its sections included."""
    return _facts_of_class(kind)


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _facts_of_class(kind: type) -> Mapping[str, SettingFacts]:
    schema = adapter_of(kind).json_schema()
    return {facts.name: facts for facts in _facts(schema, schema.get("$defs", {}), "")}


def _facts(section: Mapping[str, Any], sections: Mapping[str, Any], prefix: str) -> Iterator[SettingFacts]:
    for name, schema in section["properties"].items():
        inner = sections.get(str(schema.get("$ref", "")).rpartition("/")[2])
        if inner is not None:
            yield from _facts(inner, sections, f"{prefix}{name}.")
            continue
        choices = _choices(schema)
        yield SettingFacts(
            name=prefix + name,
            choices=choices,
            limits="" if choices else _limits(schema),
            unit=next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), ""),
            meaning=" ".join(schema.get("description", "").split()),
        )


def _choices(schema: Mapping[str, JsonValue]) -> tuple[str, ...]:
    words = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(words, list):
        return tuple(str(word) for word in words)
    pattern = str(schema.get("pattern", ""))
    return tuple(pattern.strip("^$()").split("|")) if pattern else ()


def _limits(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return ", or ".join(_limits(choice) for choice in schema["anyOf"])
    choices = _choices(schema)
    if choices:
        return " or ".join(choices)
    if schema["type"] == "array":
        return _list_limits(schema)
    bounds = [f"{word} {schema[name]:g}" for name, word in _BOUNDS.items() if name in schema]
    return ", ".join([_TYPES[schema["type"]], *bounds])


def _list_limits(schema: Mapping[str, Any]) -> str:
    items: Sequence[Mapping[str, Any]] = schema.get("prefixItems", ())
    return f"list of {len(items)}, each {_limits(items[0])}" if items else f"list, each {_limits(schema['items'])}"
