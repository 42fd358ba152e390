"""Workers whose network has not seen the person that it judges, nor anybody of the same repository."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.lip_sync.shared_videos import blocks, shared_stretches, shared_videos
from curation.engine.worker import VideoWorker
from curation.perception.lips import LipModels
from curation.perception.protocols import LipSync
from curation.perception.settings import PerceptionSettings
from curation.perception.sync.fitting.fit import taught_on
from curation.perception.sync.fitting.ridge import aligned
from curation.perception.sync.fitting.stretches import folds_of
from curation.perception.sync.model import SyncModel, network_file


@dataclass(frozen=True, kw_only=True)
class FoldWorkers:
    """A worker a fold, by a network that was taught without the fold."""

    workers: Sequence[VideoWorker]
    fold_of_block: Mapping[str, int]
    block_of: Mapping[str, str]
    """By video."""

    def fold(self, name: str) -> int:
        """Return the fold of a video; one that nothing was taught on is in the first, like all of its block."""
        return self.fold_of_block.get(self.block_of[name], 0)

    def of(self, name: str) -> VideoWorker:
        """Return the worker that has not seen a video."""
        return self.workers[self.fold(name)]


class _Lips(LipModels):
    """The models of a worker with another network."""

    def __init__(self, settings: PerceptionSettings, network: LipSync) -> None:
        super().__init__(settings)
        self.sync = network


def one_worker(worker: VideoWorker, shared: Path) -> FoldWorkers:
    """Return the same worker for every video."""
    return FoldWorkers(workers=[worker], fold_of_block={}, block_of=blocks(shared_videos(shared)))


def fold_workers(
    worker: VideoWorker, datasets: Sequence[Path], shared: Path, cache: Path, folder: Path, n_folds: int
) -> FoldWorkers:
    """Teach a network for each fold, 10 to 20 s each, and return workers with them.

    Args:
        worker: with all other models.
        datasets: as for `shared_stretches`.
        shared: likewise.
        cache: likewise.
        folder: where the networks are written.
        n_folds: how many.
    """
    stretches = shared_stretches(datasets, shared, cache)
    fold, alignment = folds_of(stretches, n_folds), aligned(stretches)
    workers = []
    for number in range(n_folds):
        path = folder / f"fold{number}.safetensors"
        path.write_bytes(network_file(taught_on(stretches, alignment, fold != number)))
        lips = _Lips(worker.plan.settings.perception, SyncModel(path))
        workers.append(replace(worker, lips=lips))
    fold_of_block = {one.group: int(fold[number]) for number, one in enumerate(stretches)}
    print(f"{n_folds} networks of {len(stretches)} stretches, {np.bincount(fold).tolist()} in each fold")
    return FoldWorkers(workers=workers, fold_of_block=fold_of_block, block_of=blocks(shared_videos(shared)))
