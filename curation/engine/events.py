"""Events of units, which executors report while they work, and hooks that receive them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from curation.engine.units import Result, Unit

__all__ = ["NO_HOOKS", "EventKind", "RunHooks", "UnitEvent"]

EventKind = Literal["begin", "end", "loss", "retry", "quarantine"]
"""A worker began a unit; it ended it; it died or was ended with one; the unit will be tried again; or it will not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitEvent:
    """Something happened to a unit."""

    kind: EventKind
    unit: Unit
    worker: str
    """Name of the worker."""
    result: Result | None = None
    """Of `end`: the result of the unit; else None."""
    reason: str | None = None
    """Of `loss` and `quarantine`: the cause in a word; else None."""
    seconds: float | None = None
    """How long the worker ran the unit; of `end` and `loss`."""


def ignore_events(_: UnitEvent) -> None:
    """Take no note."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunHooks:
    """Functions that an executor calls while it works."""

    on_event: Callable[[UnitEvent], None] = ignore_events
    stopped: Callable[[], bool] = lambda: False
    """Says that no unit is to be begun any more; those in flight are to end."""


NO_HOOKS = RunHooks()
"""Nobody follows the events, and nothing stops the work early."""
