"""Exponential moving average of a network's weights, for export and previews (as in Rombach et al., 2022)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.loop.parallel import local

__all__ = ["WeightAverage", "decay_at"]


def decay_at(step: int, decay: float) -> float:
    """Return the decay at step `step`, counted from 0: small at first, when the weights change fast.

    >>> [round(decay_at(step, 0.9999), 4) for step in (0, 8, 90, 10**6)]
    [0.1, 0.5, 0.91, 0.9999]
    """
    return min(decay, (1 + step) / (10 + step))


class WeightAverage:
    """Averages of the parameters, sharded as these are. Buffers are not averaged: they are measured."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Start from the current weights."""
        self._decay = decay
        self._parameters = dict(network.named_parameters())
        self.tensors: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in self._parameters.items()
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after step `step`, counted from 0, to the averages.

        Their share depends on the step alone, so a resumed run needs no further state.
        """
        averages = [local(self.tensors[name]) for name in self._parameters]
        weights = [local(parameter).detach() for parameter in self._parameters.values()]
        torch._foreach_lerp_(averages, weights, 1.0 - decay_at(step, self._decay))

    @contextmanager
    def in_network(self) -> Iterator[None]:
        """Swap the averages into the network while the context lasts."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._parameters.items():
            weights, average = local(parameter), local(self.tensors[name])
            kept = weights.clone()
            weights.copy_(average)
            average.copy_(kept)
