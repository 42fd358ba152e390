"""Memory and disk that a run needs, checked before it begins."""

import shutil
from collections.abc import Mapping
from typing import TypeVar

import torch

from foundation.devices import free_memory_bytes
from foundation.errors import CannotStartError
from models.run_folder import RunFolder
from training.loop.config import TrainConfig
from training.loop.parallel import Ranks
from training.loop.task import Task

__all__ = ["ResourceError", "available_memory", "checkpoint_bytes", "require_disk", "require_memory", "state_bytes"]

BatchT = TypeVar("BatchT")

_GIB = 2**30


class ResourceError(CannotStartError):
    """The machine lacks memory or disk for the run; the message says how much, and what to change."""


def state_bytes(n_parameters: Mapping[str, int], exported: str, ranks_per_copy: int) -> int:
    """Return the bytes of weights, gradients, Adam's two moments and the average on each rank, all in float32.

    >>> state_bytes({"vae": 1000, "discriminator": 100}, "vae", 1)  # 20 bytes and 16 bytes per number
    21600
    """
    numbers = sum(n_parameters.values())
    return (16 * numbers + 4 * n_parameters[exported]) // ranks_per_copy


def checkpoint_bytes(n_parameters: Mapping[str, int], exported: str) -> int:
    """Return the size of a checkpoint: weights and moments of all networks, and three more copies of the exported one.

    >>> checkpoint_bytes({"vae": 1000, "discriminator": 100}, "vae")
    25200
    """
    return 12 * sum(n_parameters.values()) + 12 * n_parameters[exported]


def available_memory(device: torch.device) -> int:
    """Return the bytes that a process can still allocate, on the GPU or on this machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return free_memory_bytes()


def require_memory(task: Task[BatchT], config: TrainConfig, ranks: Ranks) -> None:
    """Refuse a run whose weights, gradients, moments and average do not fit in memory.

    Raises:
        ResourceError: with the bytes that are needed and those that are free.
    """
    n_parameters = {
        name: sum(parameter.numel() for parameter in item.network.parameters())
        for name, item in task.trainables().items()
    }
    needed = state_bytes(n_parameters, task.export().network, config.ranks_per_copy)
    available = available_memory(ranks.device)
    if needed > available:
        raise ResourceError(
            f"weights, gradients, moments and average of {sum(n_parameters.values()) / 1e6:,.0f} M parameters take "
            f"{needed / _GIB:.1f} GiB on each rank, and {ranks.device} has {available / _GIB:.1f} GiB left; take a "
            "smaller --size, or split the networks over more GPUs with train.ranks_per_copy"
        )


def require_disk(n_parameters: Mapping[str, int], exported: str, run: RunFolder, config: TrainConfig) -> None:
    """Refuse a run whose checkpoints do not fit on the disk: all that are kept, and the one being written.

    Raises:
        ResourceError: with the bytes that are needed and those that are free.
    """
    each = checkpoint_bytes(n_parameters, exported)
    n_checkpoints = config.keep_newest + 1
    if config.keep_every is not None:
        n_checkpoints += config.steps // config.keep_every
    missing = max(0, n_checkpoints - len(run.checkpoints()))
    free = shutil.disk_usage(run.path).free
    if missing * each > free:
        raise ResourceError(
            f"{missing} checkpoints of {each / _GIB:.1f} GiB each do not fit on the disk of {run.path}, which has "
            f"{free / _GIB:.1f} GiB free; name another --out, or lower train.keep_newest and raise train.keep_every"
        )
