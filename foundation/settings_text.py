"""Settings as text: a list for people, a table for the documentation, a YAML file for `--config`."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from foundation.setting_facts import SettingFacts, setting_facts
from foundation.settings import setting_leaves, settings_of

__all__ = ["SettingRow", "setting_rows", "settings_markdown", "settings_text", "settings_yaml"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingRow:
    """One setting in effect."""

    facts: SettingFacts
    value: str
    """As YAML has it."""
    default: str
    """The same of the preset."""


def setting_rows(settings: object, defaults: object) -> Iterator[SettingRow]:
    """Yield all settings in the order of their declarations.

    Args:
        settings: those in effect.
        defaults: those of the preset, of the same class.
    """
    all_facts = setting_facts(type(settings))
    before = dict(setting_leaves(settings_of(defaults)))
    for name, value in setting_leaves(settings_of(settings)):
        yield SettingRow(facts=all_facts[name], value=_value_text(value), default=_value_text(before[name]))


def settings_text(settings: object, defaults: object, width: int) -> str:
    """Return all settings with value, default, allowed values and meaning, for people.

    Args:
        settings: those in effect.
        defaults: those of the preset; a setting that differs is marked with a star.
        width: columns of the terminal.
    """
    lines = []
    for row in setting_rows(settings, defaults):
        facts = row.facts
        lines.append(f"{' ' if row.value == row.default else '*'} {facts.name}: {row.value}")
        details = (f"default {row.default}", facts.allowed(), facts.unit)
        lines += _wrapped("; ".join(filter(None, details)), width)
        lines += _wrapped(facts.meaning, width)
    return "\n".join(lines)


def settings_yaml(settings: object) -> str:
    """Return all settings as a YAML file that `--config` reads."""
    return yaml.safe_dump(settings_of(settings), sort_keys=False, allow_unicode=True, width=120)


def settings_markdown(settings: object, others: Mapping[str, object], section: str = "") -> str:
    """Return a Markdown table with a row per setting.

    Args:
        settings: the settings whose values are the defaults of the table.
        others: settings of other presets or sizes by name; their values are added to the defaults where they differ.
        section: dotted name of the only section to show; empty for all.
    """
    rows = ["| setting | default | unit | allowed | meaning |", "|---|---|---|---|---|"]
    other_leaves = {name: dict(setting_leaves(settings_of(other))) for name, other in others.items()}
    prefix = f"{section}." if section else ""
    for row in setting_rows(settings, settings):
        facts = row.facts
        if not facts.name.startswith(prefix):
            continue
        by_name = {name: _value_text(leaves[facts.name]) for name, leaves in other_leaves.items()}
        differing = [f"{name}: `{value}`" for name, value in by_name.items() if value != row.value]
        default = "; ".join([f"`{row.value}`", *differing])
        cells = (f"`{facts.name}`", default, facts.unit, facts.allowed("`"), facts.meaning)
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    if len(rows) == 2:
        raise ValueError(f"there is no section of settings {section!r}")
    return "\n".join(rows) + "\n"


def _value_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * 4
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
