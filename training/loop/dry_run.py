"""Estimate the parameters, data, memory, disk and time of a run, by two real steps that write nothing."""

import resource
import time
from typing import TypeVar

import torch

from foundation.signals import limited_wait
from foundation.text import duration_text
from training.loop.config import TrainConfig
from training.loop.estimates import available_memory, checkpoint_bytes, require_memory, state_bytes
from training.loop.loading import step_batches
from training.loop.parallel import Ranks
from training.loop.session import Session, batch_shape
from training.loop.task import Task

__all__ = ["dry_run"]

BatchT = TypeVar("BatchT")

_GIB = 2**30


def dry_run(task: Task[BatchT], config: TrainConfig, ranks: Ranks) -> str:
    """Return the estimate as lines of text; every rank has to call it. Nothing is written.

    Raises:
        LoaderError: loader processes bring no batch.
        ResourceError: the weights alone do not fit.
        SettingsError: the batch does not divide into micro-batches.
    """
    shape = batch_shape(config, ranks)
    require_memory(task, config, ranks)
    session = Session(task, config, ranks)
    n_parameters, exported = session.n_parameters, session.export.network
    with step_batches(
        task.source,
        shape,
        session.progress.cursor,
        seed=config.seed,
        workers=config.workers,
        pin=ranks.device.type == "cuda",
    ) as batches:
        # starts loaders, compiles, allocates moments
        first = session.step(batches.take(limited_wait(config.loader_patience_s)))
        begun_s = time.perf_counter()
        second = session.step(batches.take(limited_wait(config.loader_patience_s)))
        if ranks.device.type == "cuda":
            torch.cuda.synchronize()
        step_s = time.perf_counter() - begun_s
    state = state_bytes(n_parameters, exported, config.ranks_per_copy)
    lines = {
        "model": ", ".join(f"{name} {count / 1e6:,.2f} M" for name, count in n_parameters.items()) + " parameters",
        "data": task.data_summary(),
        "batch": f"{config.batch} {task.unit}: {shape.accumulation} x {config.micro_batch} on {ranks.size} ranks",
        "memory": (
            f"{state / _GIB:.2f} GiB for weights, gradients, moments and average; {_peak(ranks) / _GIB:.2f} GiB at "
            f"most in a step; {available_memory(ranks.device) / _GIB:.1f} GiB of {ranks.device} are free besides"
        ),
        "disk": f"{checkpoint_bytes(n_parameters, exported) / _GIB:.2f} GiB each, {config.keep_newest} are kept",
        "time": (
            f"{step_s:.3f} s per step, {config.batch / step_s:,.1f} {task.unit} per second, "
            f"{duration_text(step_s * config.steps)} for {config.steps} steps"
        ),
    }
    bad = sorted({*first.bad_networks, *second.bad_networks})
    if bad:
        lines["caution"] = f"gradients of {', '.join(bad)} were not finite: such steps are skipped"
    return "\n".join(f"{name:<8}{text}" for name, text in lines.items())


def _peak(ranks: Ranks) -> int:
    """Return the peak memory of this process in bytes: of its GPU, or of the machine."""
    if ranks.device.type == "cuda":
        return torch.cuda.max_memory_allocated(ranks.device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
