"""What was measured of a video, in words: on which ticks, and what one tick shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foundation.text import clock_text, text_table
from manifests.timeline import TICK_RATE_HZ

__all__ = ["ELSEWHERE", "ON_GRID", "REACH_TICKS", "evidence_text", "measured_text", "ranges_s", "shown_row"]

ON_GRID = "its borders are known to 0.2 s only, for no clip can lie there"
"""What is said of a span that was decided by its grid ticks."""

ELSEWHERE = "Elsewhere, where no clip can lie, at most one tick of five."
"""What is said of the other ticks of a video."""

REACH_TICKS = 10
"""Ticks up to the one asked about among which its grid tick is looked for: two groups of the grid."""

_MOST_RANGES = 12
"""Ranges that are listed."""

_Row = dict[str, Any]


def shown_row(rows: Sequence[_Row]) -> _Row:
    """Return the row that tells of the last of some ticks: its own, or that of the grid tick before it.

    Args:
        rows: of `frames`, in the order of their ticks, with `measured` and `grid`; empty where there is none.
    """
    if not rows or rows[-1]["measured"] is not False:
        return rows[-1] if rows else {}
    return next((row for row in reversed(rows) if row["grid"]), rows[-1])


def evidence_text(tick: int, evidence: Mapping[str, object]) -> str:
    """Return what was measured at a tick, as a table.

    Args:
        tick: that was asked about.
        evidence: the row of `shown_row`.
    """
    rows = [[name, _value_text(value)] for name, value in evidence.items()]
    table = text_table(["measured", "value"], rows, numeric=[False, False])
    heading = f"Evidence of tick {evidence['tick']}"
    if evidence["measured"] is False:
        told = f"Tick {tick} was not measured, for no clip can lie there"
        heading = f"{told}. {heading}, on which faces were looked for" if evidence["grid"] else told
    return f"{heading}:\n{table}"


def ranges_s(ticks: Iterable[int]) -> tuple[tuple[float, float], ...]:
    """Return ascending ticks as ranges in seconds, the end exclusive.

    >>> ranges_s([0, 1, 2, 10, 11])
    ((0.0, 0.12), (0.4, 0.48))
    """
    ranges: list[list[int]] = []
    for tick in ticks:
        if ranges and ranges[-1][1] == tick:
            ranges[-1][1] = tick + 1
        else:
            ranges.append([tick, tick + 1])
    return tuple((float(first / TICK_RATE_HZ), float(end / TICK_RATE_HZ)) for first, end in ranges)


def measured_text(measured_s: Sequence[tuple[float, float]]) -> str:
    """Return which ranges of a video were measured on every tick, in a sentence.

    >>> print(measured_text([(0.0, 4.0)]))
    Measured on every tick: 0:00.00 to 0:04.00. Elsewhere, where no clip can lie, at most one tick of five.
    """
    listed = [f"{clock_text(first)} to {clock_text(end)}" for first, end in measured_s[:_MOST_RANGES]]
    if len(measured_s) > _MOST_RANGES:
        listed.append(f"{len(measured_s) - _MOST_RANGES} more ranges")
    return f"Measured on every tick: {', '.join(listed) or 'nowhere'}. {ELSEWHERE}"


def _value_text(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        flat = isinstance(value[0], float) if value else False
        if flat and len(value) <= 4:
            return ", ".join(f"{number:.4g}" for number in value)
        return f"{len(value)} {'numbers' if flat else 'points'}"
    return str(value)
