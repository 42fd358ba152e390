"""Rows of a distributed tensor that a rank holds, and which of the ranks that hold the same ones writes them.

FSDP2 splits tensors along their first dimension, and no other way of splitting is known here. A tensor without
dimensions counts as one row.
"""

from typing import NamedTuple

from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate, Shard

from foundation.errors import CannotStartError

__all__ = ["Rows", "held_rows", "is_writer", "local_rows", "row_count"]


class Rows(NamedTuple):
    """Rows `begin` to `end` of the complete tensor, without `end`."""

    begin: int
    end: int


def row_count(size: tuple[int, ...]) -> int:
    """Return how many rows a tensor has.

    >>> row_count((7, 3)), row_count(())
    (7, 1)
    """
    return size[0] if size else 1


def held_rows(tensor: Tensor) -> Rows:
    """Return the rows of a complete tensor that this rank holds.

    Raises:
        CannotStartError: it is split otherwise than FSDP2 does.
    """
    rows = Rows(0, row_count(tuple(tensor.shape)))
    if not isinstance(tensor, DTensor):
        return rows
    for axis, placement in enumerate(tensor.placements):
        if type(placement) is Shard and placement.dim == 0:
            # as `torch.chunk` does: equal parts, rounded up; the last ones are shorter, or empty
            part = -(-(rows.end - rows.begin) // tensor.device_mesh.size(axis))
            begin = min(rows.begin + part * tensor.device_mesh.get_local_rank(axis), rows.end)
            rows = Rows(begin, min(begin + part, rows.end))
        elif not isinstance(placement, Replicate):
            raise CannotStartError(f"a tensor is placed as {placement}, and checkpoints are split by rows alone")
    return rows


def is_writer(tensor: Tensor, number: int, rank: int) -> bool:
    """Return whether this rank is the one that writes its rows of a tensor; of several with the same rows, one does.

    Args:
        tensor: of the run's state.
        number: of the tensor, by which copies take turns.
        rank: this process.
    """
    if not isinstance(tensor, DTensor):
        return rank == 0
    return all(
        tensor.device_mesh.get_local_rank(axis) == number % tensor.device_mesh.size(axis)
        for axis, placement in enumerate(tensor.placements)
        if isinstance(placement, Replicate)
    )


def local_rows(tensor: Tensor) -> Tensor:
    """Return the rows that this rank holds, in the memory of `tensor`."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
