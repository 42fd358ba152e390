"""Choice of the executor: this process, or a pool of Ray workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from curation.engine.events import UNATTENDED, Oversight
from curation.engine.inline import curate_inline
from curation.engine.ray_pool import curate_on_ray
from curation.engine.supervision import PoolSettings
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings

__all__ = ["Executor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Executor:
    """Where the videos of a run are curated."""

    kind: Literal["inline", "ray"] = "inline"
    workers: int = 1
    ray_address: str | None = None
    gpus_per_worker: float = 0.0
    pool: PoolSettings = field(default_factory=PoolSettings)
    scratch: ScratchSettings = field(default_factory=ScratchSettings)

    @classmethod
    def of_workers(cls, workers: int) -> "Executor":
        """Return the usual executor: this process for one worker, Ray on this machine for more."""
        return cls(kind="ray" if workers > 1 else "inline", workers=workers)

    def curate(
        self, plan: WorkerPlan, videos: Sequence[SourceVideo], oversight: Oversight = UNATTENDED
    ) -> Iterator[VideoRecord]:
        """Yield the record of each video as it is done."""
        if self.kind == "inline":
            return curate_inline(plan, videos, oversight)
        return curate_on_ray(
            plan,
            videos,
            workers=self.workers,
            address=self.ray_address,
            gpus_per_worker=self.gpus_per_worker,
            settings=self.pool,
            oversight=oversight,
        )
