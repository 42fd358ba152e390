"""Hostile values for a field, by the kind of the value that belongs there."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.material import CANARY, OUTSIDE

__all__ = ["Value", "numbers", "texts", "values_like", "wrong_types"]

_TIB = 2**40


@dataclass(frozen=True, slots=True)
class Value:
    """A hostile value."""

    kind: str
    """What it tries, in a word or two."""
    value: object
    leads_out: bool = False
    """As a name, an offset or a size it cannot be right: every check has to refuse it."""


def texts(original: str, outside: Path) -> Iterator[Value]:
    """Yield names and texts, the worst first.

    Args:
        original: what is there; a name keeps its folder and its suffix.
        outside: the nearer folder of canaries.
    """
    folder, _, last = original.rpartition("/")
    suffix = f".{last.rpartition('.')[2]}" if "." in last and len(last.rpartition(".")[2]) < 12 else ""
    target = f"{OUTSIDE}/{CANARY}{suffix}"
    for levels in (1, 2, 3):
        yield Value(f"climbs {levels}", f"{'../' * levels}{target}", leads_out=True)
    yield Value("climbs inside", f"{folder or 'media'}/../../{target}", leads_out=True)
    yield Value("absolute", f"{outside}/{CANARY}{suffix}", leads_out=True)
    yield Value("address", f"file://{outside}/{CANARY}{suffix}", leads_out=True)
    yield Value("web address", f"http://127.0.0.1:9/{CANARY}{suffix}", leads_out=True)
    yield Value("empty", "", leads_out=True)
    yield Value("dot", ".", leads_out=True)
    yield Value("dots", "..", leads_out=True)
    yield Value("slash", f"a/b{suffix}", leads_out=True)
    yield Value("NUL", f"a\0b{suffix}", leads_out=True)
    yield Value("line break", f"a\nb\x1b[2J{suffix}", leads_out=True)
    yield Value("backslashes", f"..\\{OUTSIDE}\\{CANARY}{suffix}", leads_out=True)
    yield Value("long", "x" * 5000 + suffix, leads_out=True)
    yield Value("wide dots", f"\uff0e\uff0e/\u202e{target}", leads_out=True)
    yield Value("another file", "dataset.json")
    yield Value("another folder", "ledger")
    yield Value("quote", "'; DROP TABLE clips; --")
    yield Value("script", f"</script><script>hacked()</script><img src=x onerror=hacked()>{suffix}")
    yield Value("terminal", f"\x1b]0;hacked\x07\x1b[31m\u202e{suffix}", leads_out=True)
    yield Value("YAML", f"]: &a !!python/object/apply:os.system [*a]{suffix}")
    yield Value("LaTeX", f"$\\input{{{outside}/{CANARY}}}$ | [x](javascript:hacked()){suffix}", leads_out=True)
    yield Value("wildcard", f"*{suffix}")


def numbers() -> Iterator[Value]:
    """Yield whole numbers that fit into 64 bits."""
    yield Value("negative", -1, leads_out=True)
    yield Value("TiB", _TIB, leads_out=True)
    yield Value("huge", 2**62, leads_out=True)
    yield Value("lowest", -(2**63), leads_out=True)
    yield Value("highest", 2**63 - 1, leads_out=True)
    yield Value("32 bits", 2**31 - 1, leads_out=True)
    yield Value("zero", 0)


def fractions() -> Iterator[Value]:
    """Yield floating point numbers."""
    yield Value("NaN", math.nan)
    yield Value("infinite", math.inf)
    yield Value("negative", -1.0)
    yield Value("huge", 1e308)
    yield Value("below infinity", -math.inf)
    yield Value("zero", 0.0)
    yield Value("tiny", 5e-324)


def wrong_types(original: object) -> Iterator[Value]:
    """Yield values of other types, for JSON."""
    if original is not None:
        yield Value("null", None)
    if not isinstance(original, list):
        yield Value("list", [[]])
    if not isinstance(original, dict):
        yield Value("object", {"__proto__": {"a": 1}})
    if not isinstance(original, str):
        yield Value("text", "seven")
    if isinstance(original, str | list | dict):
        yield Value("number", 7)
    if not isinstance(original, bool):
        yield Value("truth", True)


def values_like(original: object, outside: Path) -> Iterator[Value]:
    """Yield hostile values for what stands in a JSON document: of the same type first, then of others."""
    if isinstance(original, bool):
        yield Value("the other", not original)
    elif isinstance(original, str):
        yield from texts(original, outside)
        yield Value("half a pair", "\ud800")
    elif isinstance(original, int):
        yield from numbers()
        yield Value("beyond 64 bits", 10**400)
        yield Value("fraction", 1.5)
    elif isinstance(original, float):
        yield from fractions()
    elif isinstance(original, list):
        yield Value("empty list", [])
        yield Value("long list", original[:1] * 300_000)
        yield Value("twice", original * 2)
    elif original is None:
        yield from list(texts("", outside))[:1]
        yield Value("negative", -1)
        yield Value("huge", 2**62)
    yield from wrong_types(original)
