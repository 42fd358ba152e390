"""Executor that notes which files a run hands to its workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.engine.execution import Executor
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo


@dataclass(frozen=True, kw_only=True)
class NotingExecutor(Executor):
    """Curates in this process."""

    names: list[str] = field(default_factory=list)
    """Names of the files that were curated, and not taken from an earlier run."""

    def curate(self, plan: WorkerPlan, todo: Sequence[SourceVideo], **options: Any) -> Iterator[VideoRecord]:  # noqa: ANN401 - as `Executor.curate`
        """Note the files, and curate them."""
        self.names.extend(video.path.name for video in todo)
        yield from Executor.curate(self, plan, todo, **options)
