"""Events of units, which executors report while they work, and hooks that receive them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from curation.engine.units import Result, Unit

__all__ = ["NO_HOOKS", "EventKind", "RunHooks", "UnitEvent"]

EventKind = Literal["begin", "end", "loss", "retry", "quarantine"]
"""A worker began a unit, finished it, or was lost with it; the unit will be retried, or its video is quarantined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitEvent:
    """Event of a unit."""

    kind: EventKind
    unit: Unit
    worker: str
    """Name of the worker."""
    result: Result | None = None
    """Of `end`: the result of the unit; else None."""
    reason: str | None = None
    """Of `loss` and `quarantine`: the cause in a word; else None."""
    seconds: float | None = None
    """Time that the worker spent on the unit; of `end` and `loss`."""


def ignore_events(_: UnitEvent) -> None:
    """Do nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunHooks:
    """Functions that an executor calls while it works."""

    on_event: Callable[[UnitEvent], None] = ignore_events
    stopped: Callable[[], bool] = lambda: False
    """Returns whether the run is to end: no unit is begun any more, and those in flight are finished."""


NO_HOOKS = RunHooks()
"""Hooks that ignore all events and never end the run early."""
