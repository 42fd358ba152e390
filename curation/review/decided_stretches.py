"""Stretches of a video that a rule kept or dropped: what a person looks at and labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curation.review.criteria import Criterion
from curation.rules.too_short import split_evenly
from curation.rules.verdict import Verdict
from foundation.array_types import Float32Array
from manifests.timeline import TICK_RATE_HZ, TickRange

__all__ = ["SpanRow", "Stretch", "distance", "stretches_of"]

_LONGEST_TICKS = 100
"""Longest stretch, 4 s: long enough to see and hear what is wrong, short enough to be right or wrong as a whole."""

_WHOLE = ("sync", "too_short")
"""Rules that judge a span as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRow:
    """Row of the table `spans` of one video and tier, ticks for seconds."""

    ticks: TickRange
    outcome: str
    value: float | None
    limit: float | None
    failed: tuple[str, ...]
    on_grid: bool
    clip_id: str | None
    """The clip that it became; None unless kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Stretch of a video that a rule dropped, or that it and all other rules kept."""

    criterion: str
    """Key of the criterion."""
    video_id: str
    ticks: TickRange
    worst_tick: int
    """Where the value was taken; the middle where it is about all of the stretch."""
    value: float | None
    """The worst value of the stretch; None where nothing was measured."""
    limit: float
    dropped: bool
    on_grid: bool
    """Whether a border of it is known to 5 ticks only."""
    clip_id: str | None
    """The clip that shows it; None unless kept."""

    @property
    def n_ticks(self) -> int:
        """Length."""
        return self.ticks[1] - self.ticks[0]


def distance(stretch: Stretch) -> float:
    """Return how far the value of a stretch lies from the limit, in the value's unit; infinite without a value."""
    return float("inf") if stretch.value is None else abs(stretch.value - stretch.limit)


def stretches_of(
    video_id: str, criterion: Criterion, spans: Sequence[SpanRow], verdict: Verdict | None
) -> Iterator[Stretch]:
    """Yield the stretches that a rule dropped, and those that are kept, of at most 4 s each.

    A dropped stretch has a value beyond the limit, a kept one a value within it; where the worst value of a part is
    not (a rule drops a margin, too, or forgives a single tick), that of its span, or of its other ticks, is taken.

    Args:
        video_id: the video.
        criterion: the limit under review.
        spans: all of the video in the tier of the criterion.
        verdict: of the rule on every tick; None where it is not known, as that of a rule of the user's own.
    """
    if criterion.boundary:
        return
    for span in spans:
        dropped = span.outcome == criterion.rule
        if not dropped and (span.outcome != "kept" or verdict is None):
            continue
        limit = span.limit if dropped and span.limit is not None else criterion.limit
        if limit is None:
            continue
        first, end = span.ticks
        longest = end - first if criterion.rule in _WHOLE else _LONGEST_TICKS
        for part in split_evenly(first, end, longest):
            value, worst_tick = _worst(criterion, verdict, part, limit, dropped=dropped)
            if dropped and value is None:
                value = span.value
            if not dropped and criterion.rule == "too_short":
                value = float((end - first) / TICK_RATE_HZ)
            yield Stretch(
                criterion=criterion.key,
                video_id=video_id,
                ticks=part,
                worst_tick=worst_tick,
                value=value,
                limit=limit,
                dropped=dropped,
                on_grid=span.on_grid,
                clip_id=span.clip_id,
            )


def _worst(
    criterion: Criterion, verdict: Verdict | None, part: TickRange, limit: float, *, dropped: bool
) -> tuple[float | None, int]:
    """Return the value of a part that is furthest to the side of the limit on which it was decided, and its tick."""
    middle = (part[0] + part[1]) // 2
    if verdict is None:
        return None, middle
    values: Float32Array = verdict.value[slice(*part)]
    with np.errstate(invalid="ignore"):
        beyond = values > limit if criterion.at_most else values < limit
    usable = ~np.isnan(values) & (beyond == dropped)
    if not usable.any():
        return None, middle
    ranked = np.where(usable, values if criterion.at_most else -values, -np.inf)
    number = int(ranked.argmax())
    steady = np.flatnonzero(ranked == ranked[number])
    number = int(steady[len(steady) // 2])
    return float(values[number]), part[0] + number
