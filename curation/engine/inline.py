"""Curates videos in this process, one unit after the other."""

import time
from collections.abc import Iterator, Sequence

from curation.engine.events import UNATTENDED, Oversight, UnitEvent
from curation.engine.schedule import Schedule
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo

__all__ = ["curate_inline"]

_WORKER = "inline"
"""Its name in events."""


def curate_inline(
    plan: WorkerPlan, videos: Sequence[SourceVideo], oversight: Oversight = UNATTENDED
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done.

    Raises:
        OSError: the dataset cannot be written.
    """
    worker = plan.make_worker()
    schedule = Schedule(videos, largest_first=False)
    while not oversight.stopped() and (unit := schedule.next()) is not None:
        oversight.tell(UnitEvent(kind="begin", unit=unit, worker=_WORKER))
        started = time.monotonic()
        outcome = worker.work(unit)
        seconds = time.monotonic() - started
        oversight.tell(UnitEvent(kind="end", unit=unit, worker=_WORKER, outcome=outcome, seconds=seconds))
        record = schedule.done(unit, outcome)
        if record is not None:
            yield record
