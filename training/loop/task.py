"""Interface between a trainer and the loop: the task, its data, and one step.

The loop (`training.loop.loop.train`) owns steps, ranks, data loading, gradient norms, learning rates, averaged weights,
checkpoints, logs and resuming. A `Task` owns networks, losses and preview images. A task is built on every rank alike
(seed torch's generator first) and on the CPU; the loop moves its networks to the device and shards them in place, then
takes the optimisers.

All random numbers of a sample are functions of its `SampleKey`, drawn in `BatchSource.batch`, which runs in loader
processes; see `training.data.randomness`. The loop seeds torch at each step, for what torch draws itself, such as
dropout. So the state of a run is its tensors, the step and a `Cursor`.

A toy: one number w that is to be the mean of the numbers in the data, some of which do not count.

>>> from training.data.identity import LearntData
>>> from training.data.order import SampleKey
>>> class Numbers:
...     def __init__(self, values):
...         self.values = values
...     def __len__(self):
...         return len(self.values)
...     def batch(self, keys):
...         return torch.tensor([self.values[key.item] for key in keys])
>>> def backward(w, step):
...     counted = sum((batch != 0).sum() for batch in step.batches)
...     weight = step.ranks.size / step.ranks.sum(counted)  # gradients of ranks are averaged, those of passes added
...     for batch in step.passes():
...         (weight * ((w - batch).square() * (batch != 0)).sum()).backward()
>>> w, numbers = nn.Parameter(torch.zeros(())), Numbers([1.0, 2.0, 0.0, 6.0])
>>> batches = [numbers.batch([SampleKey(0, item, 0) for item in items]) for items in ((0, 1), (2, 3))]
>>> backward(w, Step(number=0, batches=batches, ranks=Ranks(device=torch.device("cpu")), networks=(), bf16=False))
>>> w.grad  # that of the mean of (w - 1)^2, (w - 2)^2 and (w - 6)^2
tensor(-6.)

`tests/helpers/toy_task.py` has all of it as a `Task`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from foundation.array_types import RgbImage
from models.weights import WeightFacts
from training.data.identity import LearntData
from training.data.order import SampleKey
from training.loop.parallel import Ranks, synchronise_gradients
from training.loop.validation.held_out_metrics import Validation

__all__ = ["BatchSource", "Export", "Step", "Task", "Trainable", "moved"]

BatchT = TypeVar("BatchT")

BatchT_co = TypeVar("BatchT_co", covariant=True)


class BatchSource(Protocol[BatchT_co]):
    """The data of a run. It is copied into loader processes, so it holds no network and can be pickled."""

    def __len__(self) -> int:
        """Return how many samples an epoch has."""
        ...

    def batch(self, keys: Sequence[SampleKey]) -> BatchT_co:
        """Return a micro-batch on the CPU: a tensor, or named tuples of tensors and text, however deep."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """A network that is trained."""

    network: nn.Module
    blocks: Sequence[nn.Module]
    """Its residual or conformer blocks, which are sharded, checkpointed and compiled one by one."""
    methods: tuple[str, ...] = ()
    """Methods besides `forward` that are called from outside, such as `encode_motion`."""
    channels_last: bool = False
    """Whether the weights of convolutions lie with their channels last, which kernels are fastest with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """The network that a run produces: it is averaged, and each checkpoint has it as `export/{ema,raw}.safetensors`."""

    network: str
    """Its name among the trainables."""
    config: object
    """The frozen dataclass that it was built from."""
    facts: WeightFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Generic[BatchT]):
    """One optimiser step."""

    number: int
    """From 0."""
    batches: Sequence[BatchT]
    """This rank's micro-batches, on the CPU; for counting what is in them before the first pass."""
    ranks: Ranks
    networks: Sequence[nn.Module]
    bf16: bool

    def passes(self) -> Iterator[BatchT]:
        """Yield the micro-batches on the device; the backward pass of the last one exchanges gradients between ranks.

        Gradients of ranks are averaged and those of passes are added up. So a loss that is a mean over samples is
        divided by `len(step.batches)`, and one that is a mean over what counts is a sum, times `ranks.size`, divided by
        `ranks.sum` of the count over all `batches`.
        """
        for number, batch in enumerate(self.batches):
            synchronise_gradients(self.networks, enabled=number == len(self.batches) - 1)
            yield moved(batch, self.ranks.device)

    def autocast(self) -> torch.autocast:
        """Return the context for forward passes: bfloat16 with `train.precision=bf16`; compute losses in float32."""
        return torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.bf16)


class Task(Protocol[BatchT]):
    """Networks, data and losses of one trainer. Methods are called on every rank alike."""

    @property
    def name(self) -> str:
        """Return the name in the run folder: `vae`, `diffusion`."""
        ...

    @property
    def unit(self) -> str:
        """Return the word for samples in logs: `images`, `sequences`."""
        ...

    @property
    def source(self) -> BatchSource[BatchT]:
        """Return the data."""
        ...

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the networks to train, by name."""
        ...

    def frozen(self) -> Sequence[nn.Module]:
        """Return networks that are not trained; they are moved to the device and put in evaluation mode."""
        ...

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Return optimisers of all trained parameters; called once, after the networks are sharded."""
        ...

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of step `step`, counted from 0; see `training.schedules`."""
        ...

    def backward(self, step: Step[BatchT]) -> Mapping[str, Tensor]:
        """Add the gradients of a step to all parameters; a network that is not trained in this step gets none.

        Returns:
            Scalars for the log, on any device, without a graph, the same names on each rank; the loop averages them
            over ranks and over the steps since the last line.
        """
        ...

    def previews(self) -> Mapping[str, RgbImage]:
        """Return preview images by name, of fixed samples; called with the averaged weights in the exported network.

        All ranks compute them (a sharded network needs all ranks), those of the first are written.
        """
        ...

    def validation(self) -> Validation | None:
        """Return how the exported network is measured on people that it does not learn from; None: not at all."""
        ...

    def export(self) -> Export:
        """Return which network is exported, and what it was trained on."""
        ...

    def notes(self) -> Sequence[str]:
        """Return sentences on what is unusual about the task, which are told at each start."""
        ...

    def data_summary(self) -> str:
        """Return a line on the data for people: clips, hours, samples in an epoch."""
        ...

    def data(self) -> LearntData:
        """Return the identity of the clips that are learnt from, to be compared with those that a run began with."""
        ...

    def write_run_files(self, run: Path, *, accept_changes: bool) -> None:
        """Write further files for generation into the run folder, such as `dataset.json`; called at each start.

        Args:
            run: the folder.
            accept_changes: whether a run that was begun with others goes on with these.
        """
        ...


def moved(batch: BatchT, device: torch.device) -> BatchT:
    """Return a batch with all of its tensors on `device`."""
    return cast("BatchT", _moved(batch, device))


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - a tree of named tuples
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(item, device) for item in value))
    return value
