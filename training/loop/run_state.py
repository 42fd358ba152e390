"""Tensors of a run by name: weights, state of the optimisers, averages.

    network.NAME.PARAMETER              parameters and buffers
    optimiser.NAME.PARAMETER.KIND       such as exp_avg of Adam; absent before the first step
    average.NAME.PARAMETER              averaged weights

Hyperparameters are not among them: they come from the settings.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from models.tensor_files import TensorShape
from training.loop.ema import WeightAverage

__all__ = ["RunState"]


class RunState:
    """The tensors of networks, optimisers and averages; those of a sharded network are distributed tensors."""

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimisers: Sequence[Optimizer],
        averages: Mapping[str, WeightAverage],
    ) -> None:
        self._networks, self._averages = networks, averages
        names = {
            parameter: f"{network}.{name}"
            for network, module in networks.items()
            for name, parameter in module.named_parameters()
        }
        self._learning: dict[str, tuple[Optimizer, nn.Parameter, bool]] = {
            f"optimiser.{names[parameter]}": (optimiser, parameter, bool(group.get("fused") or group.get("capturable")))
            for optimiser in optimisers
            for group in optimiser.param_groups
            for parameter in group["params"]
        }

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors themselves, not copies."""
        found: dict[str, Tensor] = {}
        for name, network in self._networks.items():
            found |= {f"network.{name}.{key}": tensor for key, tensor in network.state_dict().items()}
        for name, (optimiser, parameter, _) in self._learning.items():
            found |= {f"{name}.{kind}": tensor for kind, tensor in optimiser.state.get(parameter, {}).items()}
        for name, average in self._averages.items():
            found |= {f"average.{name}.{key}": tensor for key, tensor in average.tensors.items()}
        return found

    def make_room(self, saved: Mapping[str, TensorShape]) -> None:
        """Allocate the state that the optimisers had in `saved`, as zeros, and nothing else.

        A tensor of another size or type than the parameter that it belongs to gets no room.

        Args:
            saved: size and type of each tensor, by name.
        """
        kinds_of: defaultdict[str, dict[str, TensorShape]] = defaultdict(dict)
        for key, what in saved.items():
            name, _, kind = key.rpartition(".")
            kinds_of[name][kind] = what
        for name, (optimiser, parameter, on_device) in self._learning.items():
            optimiser.state.pop(parameter, None)
            if name in kinds_of:
                optimiser.state[parameter] = {
                    # Adam's count of steps is on the CPU, unless one kernel does the whole step
                    kind: torch.zeros((), device=parameter.device if on_device else "cpu")
                    if kind == "step"
                    else torch.zeros_like(parameter, requires_grad=False)
                    for kind, shape in kinds_of[name].items()
                    if shape == (((), torch.float32) if kind == "step" else (tuple(parameter.shape), parameter.dtype))
                }
