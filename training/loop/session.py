"""Prepare a task for training on this rank, and take its optimiser steps."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from foundation.settings import SettingsError
from training.data.order import BatchShape
from training.data.randomness import seed_of
from training.loop.checkpoints import Progress
from training.loop.compilation import compile_blocks
from training.loop.config import TrainConfig
from training.loop.ema import WeightAverage
from training.loop.parallel import Ranks, checkpoint_activations, full, local, shard
from training.loop.run_state import RunState
from training.loop.task import Export, Step, Task

__all__ = ["Session", "StepResult", "batch_shape"]

BatchT = TypeVar("BatchT")


def batch_shape(config: TrainConfig, ranks: Ranks) -> BatchShape:
    """Return how a global batch is divided among ranks and passes.

    Raises:
        SettingsError: it does not divide into micro-batches of all ranks.
    """
    try:
        return BatchShape(
            global_batch=config.batch, micro_batch=config.micro_batch, world_size=ranks.size, rank=ranks.rank
        )
    except ValueError as error:
        raise SettingsError(f"train.batch and train.micro_batch do not fit: {error}") from error


class StepResult(NamedTuple):
    """Metrics of one optimiser step, and whether it changed the weights."""

    metrics: Mapping[str, Tensor]
    """Of this rank."""
    gradient_norms: Mapping[str, Tensor]
    """By network, over all ranks, before clipping."""
    learning_rate: float
    good: bool
    """Whether all gradients were finite; if not, nothing was changed."""

    @property
    def bad_networks(self) -> list[str]:
        """Names of the networks whose gradients were not finite."""
        if self.good:  # known already: a look at each norm would wait for the GPU
            return []
        return [name for name, norm in self.gradient_norms.items() if not norm.isfinite()]


class Session(Generic[BatchT]):
    """Networks on their device, sharded over the ranks; optimisers, averaged weights, number of steps done."""

    def __init__(self, task: Task[BatchT], config: TrainConfig, ranks: Ranks) -> None:
        """Prepare the networks of `task`, in place.

        Raises:
            DistributionError: they cannot be sharded over the ranks as `config` says.
        """
        self.task, self.ranks = task, ranks
        self._config = config
        self._bf16 = config.precision == "bf16"
        trainables = task.trainables()
        self.networks: dict[str, nn.Module] = {name: item.network for name, item in trainables.items()}
        for network in task.frozen():
            network.to(ranks.device).eval().requires_grad_(False)
        for item in trainables.values():
            item.network.to(ranks.device).train()
            if item.channels_last and ranks.size == 1:  # shards are flat, and FSDP2 takes no other layout
                _lay_channels_last(item.network)
            checkpoint_activations(item.blocks, config.activation_checkpointing)
            if config.compile:
                compile_blocks(item.blocks)
            shard(
                item.network,
                item.blocks,
                item.methods,
                ranks,
                ranks_per_copy=config.ranks_per_copy,
                bf16=self._bf16,
            )
        self.optimisers = list(task.optimisers())
        self.export: Export = task.export()
        self.average = WeightAverage(self.networks[self.export.network], config.ema_decay)
        self.state = RunState(self.networks, self.optimisers, {self.export.network: self.average})
        self.progress = Progress()

    @property
    def n_parameters(self) -> dict[str, int]:
        """Trainable parameters of each network."""
        return {
            name: sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
            for name, network in self.networks.items()
        }

    def weights_are_finite(self) -> bool:
        """Return whether all weights and averages of this rank are finite numbers."""
        weights = [parameter for network in self.networks.values() for parameter in network.parameters()]
        return all(bool(local(tensor).isfinite().all()) for tensor in (*weights, *self.average.tensors.values()))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the exported network, in evaluation mode and without gradients, for a block."""
        network = self.networks[self.export.network]
        with torch.no_grad(), self.average.in_network():
            network.eval()
            try:
                yield
            finally:
                network.train()

    def step(self, batches: Sequence[BatchT]) -> StepResult:
        """Take one step; if gradients are not finite on any rank, only the progress changes."""
        number, config = self.progress.step, self._config
        # dropout and other draws of torch depend on the step alone, so no state of a generator has to be kept
        torch.manual_seed(seed_of(config.seed, "torch", number, self.ranks.rank))
        rate = self.task.learning_rate(number)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
        step: Step[BatchT] = Step(
            number=number,
            batches=batches,
            ranks=self.ranks,
            networks=list(self.networks.values()),
            bf16=self._bf16,
        )
        metrics = self.task.backward(step)
        norms = {name: self._gradient_norm(network) for name, network in self.networks.items()}
        good = bool(torch.stack(list(norms.values())).isfinite().all())
        if good:
            for optimiser in self.optimisers:
                optimiser.step()
            self.average.update(number)
        for network in self.networks.values():
            network.zero_grad(set_to_none=True)
        self.progress = replace(
            self.progress,
            step=number + 1,
            cursor=self.progress.cursor.advanced(config.batch, len(self.task.source)),
            bad_steps=0 if good else self.progress.bad_steps + 1,
            skipped=self.progress.skipped + (not good),
        )
        return StepResult(metrics, norms, rate, good)

    def _gradient_norm(self, network: nn.Module) -> Tensor:
        """Return the norm of a network's gradient over all ranks, and clip the gradient to the largest norm allowed."""
        trained = [parameter for parameter in network.parameters() if parameter.grad is not None]
        gradients: list[Any] = [parameter.grad for parameter in trained]
        if not gradients:
            return torch.zeros((), device=self.ranks.device)
        norm = full(torch.nn.utils.get_total_norm(gradients)).detach()
        if self._config.max_gradient_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(trained, self._config.max_gradient_norm, norm)
        return norm


def _lay_channels_last(network: nn.Module) -> None:
    """Lay out the weights of convolutions with their channels last, in place; their values and names stay."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
