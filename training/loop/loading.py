"""Load the batches of a rank, ahead of the trainer, in loader processes."""

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
    """Adapter of a source for torch's loader: an index is the keys of a micro-batch."""

    def __init__(self, source: BatchSource[Any]) -> None:
        self._source = source

    def __getitem__(self, keys: Sequence[SampleKey]) -> Any:  # noqa: ANN401 - what the source makes
        return self._source.batch(keys)


def step_batches(
    source: BatchSource[BatchT], shape: BatchShape, cursor: Cursor, *, seed: int, workers: int, pin: bool
) -> Iterator[list[BatchT]]:
    """Yield this rank's micro-batches of each step, endlessly, from `cursor` on.

    Args:
        source: the data.
        shape: division of a global batch.
        cursor: position of the run.
        seed: of the run.
        workers: loader processes; 0: batches are made in this process.
        pin: put batches in page-locked memory, for fast copies to a GPU.
    """
    loader: DataLoader[BatchT] = DataLoader(
        _Batches(source),
        sampler=MicroBatches(shape, cursor, n_items=len(source), seed=seed),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_of_worker,
        # not fork: torch and CUDA run threads in this process
        multiprocessing_context="forkserver" if workers else None,
    )
    batches = iter(loader)
    while True:
        yield [next(batches) for _ in range(shape.accumulation)]


def _as_it_is(batch: BatchT) -> BatchT:
    return batch


def _of_worker(_number: int) -> None:
    """Prepare a loader process: it ignores signals, so that the trainer can finish its step and write a checkpoint."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_trainer, daemon=True).start()


def _end_with_trainer() -> None:
    """End this process after the trainer, even if that was killed: torch watches the fork server instead."""
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
