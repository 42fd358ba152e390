"""The batches of a rank, made ahead of the trainer by loader processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.loop.task import BatchSource

__all__ = ["step_batches"]

BatchT = TypeVar("BatchT")


class _Batches(Dataset[Any]):
    """A source as torch's loader wants it: an index is the keys of a micro-batch."""

    def __init__(self, source: BatchSource[Any]) -> None:
        self._source = source

    def __getitem__(self, keys: Sequence[SampleKey]) -> Any:  # noqa: ANN401 - what the source makes
        return self._source.batch(keys)


def step_batches(
    source: BatchSource[BatchT], shape: BatchShape, cursor: Cursor, *, seed: int, workers: int, pin: bool
) -> Iterator[list[BatchT]]:
    """Yield this rank's micro-batches of each step from `cursor` on, without end.

    Args:
        source: the data.
        shape: how a global batch is shared out.
        cursor: where the run stands.
        seed: of the run.
        workers: loader processes; 0 makes batches when they are asked for.
        pin: put batches where a GPU can fetch them by itself.
    """
    loader: DataLoader[BatchT] = DataLoader(
        _Batches(source),
        sampler=MicroBatches(shape, cursor, n_items=len(source), seed=seed),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_of_worker,
        # not fork: this process has threads, of torch and of a GPU
        multiprocessing_context="forkserver" if workers else None,
    )
    batches = iter(loader)
    while True:
        yield [next(batches) for _ in range(shape.accumulation)]


def _as_it_is(batch: BatchT) -> BatchT:
    return batch


def _of_worker(_number: int) -> None:
    """Prepare a loader process: signals are the trainer's to take, which goes on for a step and a checkpoint."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_trainer, daemon=True).start()


def _end_with_trainer() -> None:
    """End this process when the trainer is gone, even if it was killed: torch looks at the server of processes."""
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
