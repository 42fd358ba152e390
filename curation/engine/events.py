"""What executors tell of their units while they work, and the one thing that they ask: whether to go on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from curation.engine.units import Outcome, Unit

__all__ = ["UNATTENDED", "EventKind", "Oversight", "UnitEvent"]

EventKind = Literal["begin", "end", "loss", "retry", "quarantine"]
"""A worker took a unit; it gave one back; it was lost with one; the unit will be tried again; or it will not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitEvent:
    """Something happened to a unit."""

    kind: EventKind
    unit: Unit
    worker: str
    outcome: Outcome | str | None = None
    """Of `end`: what became of the unit; of `loss` and `quarantine`: why, in a word; of the others: None."""
    seconds: float | None = None
    """How long the worker was at it; of `end` and `loss`."""


def _to_nobody(_: UnitEvent) -> None:
    """Take no note."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Oversight:
    """Whoever watches an executor."""

    tell: Callable[[UnitEvent], None] = _to_nobody
    stopped: Callable[[], bool] = lambda: False
    """Says that no unit is to be begun any more; those in flight are to end."""


UNATTENDED = Oversight()
