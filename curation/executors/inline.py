"""Curates one video after the other in this process."""

from collections.abc import Iterator, Sequence

from curation.ledger import VideoRecord
from curation.sources import SourceVideo
from curation.worker import WorkerPlan

__all__ = ["curate_inline"]


def curate_inline(plan: WorkerPlan, videos: Sequence[SourceVideo]) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done.

    Raises:
        OSError: the dataset cannot be written.
    """
    worker = plan.make_worker()
    for video in videos:
        yield worker.curate(video)
