"""Tables of settings for the documentation, made from the code: name, default, unit, what is allowed, why.

    python -m curation.settings_tables                    prints the table of all settings
    python -m curation.settings_tables docs/explanation/how_a_second_is_decided.md    writes the tables of a page anew

A page says where a table stands by the comments `<!-- settings rules.frontal begins -->` and
`<!-- settings rules.frontal ends -->`; without a name, the table is that of all settings.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from curation.settings import PRESETS, CurationSettings
from foundation.settings import Settings

__all__ = ["settings_markdown", "with_settings_tables"]

_UNITS = {
    "_deg": "degrees",
    "_px": "px",
    "_s": "s",
    "_ticks": "ticks of 40 ms",
    "_step": "face widths",
    "_prob": "probability",
    "_score": "score",
    "_ratio": "ratio",
    "_share": "share",
    "_lufs": "LUFS",
    "_db": "dB",
    "_every": "frames",
    "_overlap": "ratio",
    "_threads": "threads",
    "_mb": "MB",
    "_gib": "GiB",
}
"""By the end of a setting's name."""

_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
    "multipleOf": "a multiple of",
}
"""Words for the bounds of a JSON schema."""

_TABLE = re.compile(r"<!-- settings(?: (\S+))? begins -->\n.*?<!-- settings(?: \1)? ends -->", re.DOTALL)


def settings_markdown(settings: Settings, prefix: str = "") -> str:
    """Return a Markdown table with a row per setting, those of sections included.

    Args:
        settings: the settings to show; its values are the defaults of the table, those of the preset `paper` stand
            beside them where they differ.
        prefix: what stands before the names, such as ``rules.frontal.``.
    """
    head = ["| setting | default | unit | allowed | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*head, *_rows(settings, prefix)]) + "\n"


def with_settings_tables(page: str) -> str:
    """Return the text of a page with every table between a pair of marks made anew.

    Raises:
        ValueError: a mark names a section that there is not.
    """
    return _TABLE.sub(lambda found: _marked(found[1] or ""), page)


def _marked(name: str) -> str:
    sections = dict(_sections(CurationSettings(), ""))
    if name not in sections:
        known = ", ".join(filter(None, sections))
        raise ValueError(f"the page asks for the table of settings {name!r}; there are {known}")
    section = sections[name]
    suffix = f" {name}" if name else ""
    table = settings_markdown(section, f"{name}." if name else "")
    return f"<!-- settings{suffix} begins -->\n{table}<!-- settings{suffix} ends -->"


def _sections(settings: Settings, name: str) -> Iterator[tuple[str, Settings]]:
    yield name, settings
    for inner in type(settings).model_fields:
        value = getattr(settings, inner)
        if isinstance(value, Settings):
            yield from _sections(value, f"{name}.{inner}" if name else inner)


def _rows(settings: Settings, prefix: str) -> Iterator[str]:
    schemas = type(settings).model_json_schema()["properties"]
    paper = dict(_values(PRESETS["paper"], ""))
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Settings):
            yield from _rows(value, f"{prefix}{name}.")
            continue
        meaning = " ".join((field.description or "").split())
        with_paper = paper.get(f"{prefix}{name}", value)
        default = f"`{value}`" if with_paper == value else f"`{value}`; `paper`: `{with_paper}`"
        cells = (f"`{prefix}{name}`", default, _unit(name), _allowed(schemas[name]), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(settings: Settings, prefix: str) -> Iterator[tuple[str, object]]:
    for section, inner in _sections(settings, prefix):
        for name in type(inner).model_fields:
            yield f"{section}.{name}" if section else name, getattr(inner, name)


def _unit(name: str) -> str:
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def _allowed(schema: dict[str, JsonValue]) -> str:
    """Return what a value may be, in words."""
    words = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(words, list):
        return " or ".join(f"`{word}`" for word in words)
    if "pattern" in schema:
        return f"`{str(schema['pattern']).strip('^$()').replace('|', '`, `')}`"
    kind = {"integer": "whole number", "number": "number"}.get(str(schema["type"]), str(schema["type"]))
    return ", ".join([kind, *(f"{word} {schema[name]:g}" for name, word in _BOUNDS.items() if name in schema)])


def _main(arguments: list[str]) -> None:
    if not arguments:
        sys.stdout.write(settings_markdown(CurationSettings()))
    for argument in arguments:
        page = Path(argument)
        page.write_text(with_settings_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
