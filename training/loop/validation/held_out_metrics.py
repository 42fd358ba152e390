"""What a validation measures: sums of a network's errors over fixed batches of held-out clips.

A rank takes every n-th batch. Means are formed of the sums of all ranks, so they do not depend on how many there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch

from training.loop.parallel import Ranks

__all__ = ["Best", "Better", "Sum", "Validation", "ValidationPass", "is_better", "measured"]

Better = Literal["lower", "higher"]
"""Whether a lower or a higher value of a metric is better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Best:
    """The best validation of a run so far."""

    metric: str
    value: float
    step: int
    """Steps that were done."""
    since: int = 0
    """Validations after it, none of which was better."""
    identity: str
    """Of what was measured, see `Validation.identity`."""


def is_better(value: float, than: float, better: Better) -> bool:
    """Return whether a value is better; equal values and NaN are not.

    >>> is_better(2.0, 3.0, "lower"), is_better(3.0, 3.0, "lower"), is_better(2.0, 3.0, "higher")
    (True, False, False)
    """
    return value < than if better == "lower" else value > than


class Sum(NamedTuple):
    """Sum of a measure over some samples."""

    total: float
    n: int
    """Samples that have the measure; 0: none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationPass:
    """Where and how a batch is computed."""

    device: torch.device
    bf16: bool

    def autocast(self) -> torch.autocast:
        """Return the context for forward passes: the number format of training."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


class Validation(Protocol):
    """Measurement of the exported network on clips of people that the run does not learn from.

    Clips, frames, times and noise are fixed. No generator is drawn from that training draws from.
    """

    @property
    def metrics(self) -> Mapping[str, Better]:
        """Return the names that `train.best_metric` may have, its default first."""
        ...

    @property
    def summed(self) -> Sequence[str]:
        """Return the names of the sums; the same on all ranks, also where a rank cannot measure one."""
        ...

    @property
    def identity(self) -> str:
        """Return a digest of what is measured: values with another one cannot be compared with these."""
        ...

    def __len__(self) -> int:
        """Return the number of batches."""
        ...

    def sums(self, number: int, where: ValidationPass) -> Mapping[str, Sum]:
        """Return the sums over batch `number`; called without gradients, with the averaged weights in the network.

        Each batch takes the same forward passes, for a sharded network needs all ranks. Sums that are left out count
        as none.
        """
        ...

    def derived(self, means: Mapping[str, float]) -> Mapping[str, float]:
        """Return further metrics, computed from the means over all batches."""
        ...


def measured(validation: Validation, where: ValidationPass, ranks: Ranks) -> dict[str, float]:
    """Return the metrics of a validation by name; every rank has to call it.

    Metrics of which no sample has a measure are left out.
    """
    table = torch.zeros(len(validation.summed), 2, dtype=torch.float64)
    rows = {name: row for row, name in enumerate(validation.summed)}
    for begin in range(0, len(validation), ranks.size):
        number = begin + ranks.rank
        sums = validation.sums(number % len(validation), where)
        if number < len(validation):  # otherwise this rank only keeps the others company
            for name, (total, count) in sums.items():
                table[rows[name]] += torch.tensor([total, count], dtype=torch.float64)
    totals = ranks.sum(table)
    means = {name: float(totals[row, 0] / totals[row, 1]) for name, row in rows.items() if totals[row, 1] > 0}
    return {**means, **validation.derived(means)}
