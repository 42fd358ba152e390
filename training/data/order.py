"""Order of the samples: a permutation per epoch and a cursor, all the state that a resumed run needs.

The order is one of global batches and depends neither on ranks nor on loader processes: a rank takes its slice of each
batch, so a run that is resumed with another number of them sees the same samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch.utils.data import Sampler

from training.data.randomness import permuted

__all__ = ["BatchShape", "Cursor", "MicroBatches", "SampleKey", "global_batch"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Position of a run in its data: the next sample."""

    epoch: int = 0
    position: int = 0
    """Samples of the epoch that were taken."""

    def advanced(self, count: int, n_items: int) -> "Cursor":
        """Return the cursor `count` samples later in a set of `n_items`; epochs follow each other without a gap."""
        epochs, position = divmod(self.position + count, n_items)
        return Cursor(self.epoch + epochs, position)


class SampleKey(NamedTuple):
    """One sample of a run. All random numbers of the sample are functions of these fields."""

    epoch: int
    item: int
    """In the data set."""
    batch: int
    """Samples of all global batches before the one with this sample: the same for the whole batch."""


def global_batch(cursor: Cursor, count: int, *, n_items: int, seed: int) -> list[SampleKey]:
    """Return the next `count` samples; where an epoch ends, those of the next follow.

    The cursor after them is `cursor.advanced(count, n_items)`.

    Raises:
        ValueError: the set is empty.
    """
    if n_items < 1:
        raise ValueError("the data set is empty: select more clips")
    before = cursor.epoch * n_items + cursor.position
    numbers = before + np.arange(count, dtype=np.int64)
    epochs, positions = np.divmod(numbers, n_items)
    keys = []
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
        indices = permuted(positions[epochs == epoch], n_items, seed, "order", epoch)
        keys += [SampleKey(epoch, index, before) for index in indices.tolist()]
    return keys


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchShape:
    """Division of a global batch into passes of `micro_batch` samples on each of `world_size` ranks."""

    global_batch: int
    """Samples per optimiser step, over all ranks."""
    micro_batch: int
    """Samples of one pass of one rank."""
    world_size: int = 1
    rank: int = 0

    def __post_init__(self) -> None:
        at_once = self.micro_batch * self.world_size
        if self.micro_batch < 1 or self.global_batch < 1 or self.global_batch % at_once:
            raise ValueError(
                f"the global batch of {self.global_batch} is no multiple of {self.micro_batch} samples on each of "
                f"{self.world_size} ranks; give a multiple of {at_once}"
            )

    @property
    def accumulation(self) -> int:
        """Passes per optimiser step."""
        return self.global_batch // (self.micro_batch * self.world_size)

    def of_rank(self, keys: Sequence[SampleKey]) -> list[list[SampleKey]]:
        """Return this rank's micro-batches of a global batch, in order: all ranks' first, then all ranks' second."""
        starts = range(self.rank * self.micro_batch, self.global_batch, self.world_size * self.micro_batch)
        return [list(keys[start : start + self.micro_batch]) for start in starts]


class MicroBatches(Sampler[list[SampleKey]]):
    """Endless micro-batches of one rank from a cursor on: `DataLoader(..., batch_sampler=MicroBatches(...))`.

    A loader runs ahead of the trainer, so the trainer keeps its own cursor: `Cursor.advanced` once per step.
    """

    def __init__(self, shape: BatchShape, cursor: Cursor, *, n_items: int, seed: int) -> None:
        self._shape, self._cursor, self._n_items, self._seed = shape, cursor, n_items, seed

    def __iter__(self) -> Iterator[list[SampleKey]]:
        cursor, count = self._cursor, self._shape.global_batch
        while True:
            yield from self._shape.of_rank(global_batch(cursor, count, n_items=self._n_items, seed=self._seed))
            cursor = cursor.advanced(count, self._n_items)
