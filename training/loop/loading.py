"""Load the batches of a rank, ahead of the trainer, in loader processes.

The processes live as long as the `with` block of `step_batches`, however that ends: they are killed then, which they
cannot delay. They write nothing, so nothing is lost. A trainer that is killed takes them along.
"""

import copy
import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for_one
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from foundation.errors import CannotStartError, GaiaError
from foundation.signals import WaitOverError
from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.loop.task import BatchSource

__all__ = ["LoaderError", "StepBatches", "step_batches"]

BatchT = TypeVar("BatchT")

_JOIN_S = 2.0
"""Longest wait for a killed process; only one that waits for a disk within the system takes longer."""

_PR_SET_PDEATHSIG = 1
"""Of <linux/prctl.h>: the signal that a process receives when its parent ends."""


class LoaderError(CannotStartError):
    """A loader process has ended or brings nothing; the message says which, and what to look at."""


@dataclass(frozen=True)
class _Failure:
    """An error that takes the place of a batch."""

    error: Exception


class _Batches(Dataset[Any]):
    """Adapter of a source for torch's loader: an index is the keys of a micro-batch."""

    def __init__(self, source: BatchSource[Any]) -> None:
        self._source = source

    def __getitem__(self, keys: Sequence[SampleKey]) -> Any:  # noqa: ANN401 - what the source makes
        try:
            return self._source.batch(keys)
        except (GaiaError, OSError, MemoryError) as error:
            # torch would put the traceback into the message, which is for the user
            return _Failure(error) if _is_sendable(error) else _Failure(LoaderError(f"{type(error).__name__}: {error}"))


_DYING_S = 5.0
"""Time in which a loader process ends whose connection broke off."""


class StepBatches(Generic[BatchT]):
    """Endless micro-batches of a rank, in the order of the steps."""

    def __init__(self, batches: Iterator[BatchT], per_step: int, loaders: Sequence[BaseProcess]) -> None:
        self._batches, self._per_step, self._loaders = batches, per_step, loaders

    def take(self, wait: AbstractContextManager[None]) -> list[BatchT]:
        """Return the micro-batches of the next step.

        Args:
            wait: limits the wait for them, such as `foundation.signals.limited_wait`.

        Raises:
            LoaderError: a loader process has ended, or the wait was over; no batch can be taken any more.
            GaiaError, OSError: the source raised it.
        """
        try:
            with wait:
                return [_whole(next(self._batches)) for _ in range(self._per_step)]
        except WaitOverError as error:
            raise LoaderError(
                f"no batch has come, {error}{self._states()}; look at the disk or store of the dataset, or give a "
                "larger train.loader_patience_s"
            ) from error
        except (RuntimeError, OSError, EOFError) as error:  # of torch, or of a pipe that broke off
            if isinstance(error, ConnectionError | EOFError):  # a process that was killed takes a moment to end
                wait_for_one([process.sentinel for process in self._loaders], timeout=_DYING_S)
            lost = [str(process.pid) for process in self._loaders if not process.is_alive()]
            if not lost:
                raise
            raise LoaderError(
                f"{len(lost)} of {len(self._loaders)} loader processes ended (process {', '.join(lost)}); the system "
                "ends processes when memory runs out: set train.workers lower, or look into its log"
            ) from error

    def _states(self) -> str:
        """Return what the loader processes do, in words of the system such as `T (stopped)`."""
        states = []
        for process in self._loaders:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
            except OSError:
                states.append(f"process {process.pid}: ended")
            else:
                state = next(line for line in status.splitlines() if line.startswith("State:"))
                states.append(f"process {process.pid}: {state.removeprefix('State:').strip()}")
        return f" by the loaders ({'; '.join(states)})" if states else ""


@contextmanager
def step_batches(
    source: BatchSource[BatchT], shape: BatchShape, cursor: Cursor, *, seed: int, workers: int, pin: bool
) -> Iterator[StepBatches[BatchT]]:
    """Start the loader processes of this rank, and end them after the block.

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
        worker_init_fn=_prepare_loader,
        # not fork: torch and CUDA run threads in this process
        multiprocessing_context="forkserver" if workers else None,
    )
    others = multiprocessing.active_children()
    try:
        with _deaf_children():
            batches = iter(loader)
        loaders = [process for process in multiprocessing.active_children() if process not in others]
        yield StepBatches(batches, shape.accumulation, loaders)
    finally:
        _end([process for process in multiprocessing.active_children() if process not in others])


def _whole(batch: BatchT) -> BatchT:
    if isinstance(batch, _Failure):
        raise batch.error
    return batch


def _is_sendable(error: Exception) -> bool:
    """Return whether an error is the same after its way between two processes."""
    try:
        return str(copy.copy(error)) == str(error)
    except Exception:  # noqa: BLE001 - whatever a class of errors does when it is made again
        return False


def _as_it_is(batch: BatchT) -> BatchT:
    return batch


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Start processes in the block that never receive SIGINT and SIGTERM.

    Both reach the whole group of the trainer, which still takes a step and writes a checkpoint. A process inherits the
    mask; so does Python's server that forks the loaders, which would end at SIGTERM, and the loaders with it.
    """
    resource_tracker.ensure_running()  # which unmasks them, where it is started within the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(loaders: Sequence[BaseProcess]) -> None:
    for process in loaders:
        process.kill()
    for process in loaders:
        process.join(_JOIN_S)


def _prepare_loader(_number: int) -> None:
    """Prepare a loader process: one thread, deaf to the signals of the group, ended with the trainer however that ends.

    The server that forked it ends with the trainer, and the system kills this process with the server, even where it
    is stopped. A thread watches the trainer besides, for a server that is stopped itself.
    """
    server = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_trainer, daemon=True).start()


def _end_with_trainer() -> None:
    trainer = multiprocessing.parent_process()
    if trainer is not None:
        trainer.join()
        os._exit(1)
