"""Curation of videos in this process, one unit after the other."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from curation.engine.events import NO_HOOKS, RunHooks, UnitEvent
from curation.engine.schedule import Schedule
from curation.engine.units import Unit, first_units
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo

__all__ = ["curate_inline"]

_WORKER = "inline"
"""Name of the worker in events."""


def curate_inline(
    plan: WorkerPlan,
    videos: Sequence[SourceVideo],
    hooks: RunHooks = NO_HOOKS,
    units: Callable[[Iterable[SourceVideo]], Iterable[Unit]] = first_units,
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done.

    Args:
        plan: the parameters of the worker.
        videos: the videos, in this order.
        hooks: receive every event, and may end the run after the unit in flight.
        units: returns the first unit of each video.

    Raises:
        OSError: the dataset cannot be written.
    """
    worker = plan.make_worker()
    schedule = Schedule(units(videos), largest_first=False)
    while not hooks.stopped() and (unit := schedule.next()) is not None:
        hooks.on_event(UnitEvent(kind="begin", unit=unit, worker=_WORKER))
        started = time.monotonic()
        result = unit.run(worker)
        seconds = time.monotonic() - started
        hooks.on_event(UnitEvent(kind="end", unit=unit, worker=_WORKER, result=result, seconds=seconds))
        record = schedule.done(unit.video.video_id, result)
        if record is not None:
            yield record
