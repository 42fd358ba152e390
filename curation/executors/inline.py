"""Curates videos in this process, one unit after the other."""

from collections.abc import Iterator, Sequence

from curation.ledger import VideoRecord
from curation.schedule import Schedule
from curation.sources import SourceVideo
from curation.worker import WorkerPlan

__all__ = ["curate_inline"]


def curate_inline(plan: WorkerPlan, videos: Sequence[SourceVideo]) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done.

    Raises:
        OSError: the dataset cannot be written.
    """
    worker = plan.make_worker()
    schedule = Schedule(videos, largest_first=False)
    while (unit := schedule.next()) is not None:
        record = schedule.done(unit, worker.work(unit))
        if record is not None:
            yield record
