"""Processes of a run under torchrun, sharding and activation checkpointing (GAIA appendix B.1: 16 GPUs).

Copies of the network on all ranks and copies that are each split over some ranks are one code path: FSDP2's
`fully_shard` on a mesh of (copies, ranks per copy). A single process has no mesh.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from foundation.errors import CannotStartError
from training.loop.config import Checkpointing

__all__ = [
    "DistributionError",
    "Ranks",
    "checkpoint_activations",
    "full",
    "local",
    "ranks_of_environment",
    "shard",
    "synchronise_gradients",
]

_TIMEOUT = timedelta(minutes=30)
"""Longest wait of a rank for the others: a checkpoint of a large network is written by one of them."""


class DistributionError(CannotStartError):
    """The number of ranks does not fit the settings; the message says which numbers do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """Number of this process among those of the run, and its device."""

    rank: int = 0
    size: int = 1
    device: torch.device

    @property
    def first(self) -> bool:
        """True for the process that writes files and shows progress."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks, without a graph; every rank has to call it."""
        total = value.detach().clone()
        if self.size > 1:
            dist.all_reduce(total)
        return total

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is true on any rank; every rank has to call it."""
        return bool(self.sum(torch.tensor(int(flag))))

    def wait(self) -> None:
        """Wait until all ranks have called this."""
        if self.size > 1:
            # not `dist.barrier`, which computes on a GPU: this goes over gloo, between the CPUs
            self.sum(torch.zeros(()))


@contextmanager
def ranks_of_environment(device: str | None = None) -> Iterator[Ranks]:
    """Join the other processes that torchrun started; without torchrun this process is alone.

    Args:
        device: `cpu` or `cuda`; None takes a GPU where there is one.

    Raises:
        DistributionError: `device` is `cuda` and there is no GPU for this process.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    number = int(os.environ.get("LOCAL_RANK", "0"))
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cuda" and torch.cuda.device_count() <= number:
        raise DistributionError(
            f"process {number} of this machine has no GPU: it has {torch.cuda.device_count()}; start as many processes "
            "as there are GPUs, or give --device cpu"
        )
    here = torch.device(kind, number) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(here)
    if size == 1:
        yield Ranks(device=here)
        return
    # gloo as well as nccl: flags and counts stay on the CPU, so that no step waits for the GPU
    dist.init_process_group("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        yield Ranks(rank=rank, size=size, device=here)
    finally:
        # sharded networks and their groups form cycles: collect them, so that gloo's threads end before Python does
        try:
            gc.collect()
        finally:
            dist.destroy_process_group()


def _mesh(ranks: Ranks, ranks_per_copy: int) -> DeviceMesh:
    if ranks.size % ranks_per_copy:
        raise DistributionError(
            f"train.ranks_per_copy is {ranks_per_copy}, which does not divide the {ranks.size} ranks of this run; give "
            f"one that does, such as 1 (each rank holds the network) or {ranks.size} (it is split over all)"
        )
    shape = (ranks.size // ranks_per_copy, ranks_per_copy)
    return init_device_mesh(ranks.device.type, shape, mesh_dim_names=("copies", "shards"))


def shard(
    network: nn.Module,
    blocks: Sequence[nn.Module],
    methods: Sequence[str],
    ranks: Ranks,
    *,
    ranks_per_copy: int,
    bf16: bool,
) -> None:
    """Shard a network over the ranks, in place: its parameters become distributed tensors. One rank: do nothing.

    Args:
        network: the same on all ranks, and on `ranks.device`.
        blocks: layers that are gathered one after the other, so that no rank ever holds the complete network.
        methods: names of methods that are called besides `forward`; others would compute with shards.
        ranks: the processes.
        ranks_per_copy: number of ranks over which each copy is split.
        bf16: gather the weights in bfloat16; gradients are reduced in float32 all the same.

    Raises:
        DistributionError: `ranks_per_copy` does not divide the number of ranks.
    """
    if ranks.size == 1:
        return
    mesh = _mesh(ranks, ranks_per_copy)
    # inputs are not cast: autocast does so where it is safe, and times of a diffusion process must stay in float32
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if bf16 else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    for module in (*blocks, network):
        fully_shard(module, mesh=mesh, mp_policy=policy)
    for name in methods:
        register_fsdp_forward_method(network, name)


def synchronise_gradients(networks: Sequence[nn.Module], *, enabled: bool) -> None:
    """Set whether the next backward passes exchange gradients between ranks: only the last of a step needs to."""
    for network in networks:
        if isinstance(network, FSDPModule):
            network.set_requires_gradient_sync(enabled)


def local(tensor: Tensor) -> Tensor:
    """Return this rank's shard of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def full(tensor: Tensor) -> Tensor:
    """Return the complete tensor; every rank has to call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


_COSTLY = frozenset(
    {
        torch.ops.aten.mm.default,
        torch.ops.aten.addmm.default,
        torch.ops.aten.bmm.default,
        torch.ops.aten.convolution.default,
        torch.ops.aten._scaled_dot_product_flash_attention.default,  # noqa: SLF001 - operators have no public names
        torch.ops.aten._scaled_dot_product_efficient_attention.default,  # noqa: SLF001
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,  # noqa: SLF001
    }
)
"""Operators whose results `selective` keeps."""


def checkpoint_activations(blocks: Sequence[nn.Module], kind: Checkpointing) -> None:
    """Recompute the activations of each block in the backward pass, to save memory; the gradients stay the same.

    Args:
        blocks: residual or conformer blocks.
        kind: `block` keeps the inputs of each block; `selective` keeps as well the results of matrix products,
            convolutions and attention; `none` keeps all.
    """
    if kind == "none":
        return
    again = partial(checkpoint, use_reentrant=False)
    if kind == "selective":
        again = partial(again, context_fn=partial(create_selective_checkpoint_contexts, _policy))
    for block in blocks:
        setattr(block, "forward", partial(again, block.forward))  # noqa: B010 - mypy forbids methods on the left


def _policy(_context: object, operator: object, *_args: Any, **_options: Any) -> CheckpointPolicy:  # noqa: ANN401
    return CheckpointPolicy.MUST_SAVE if operator in _COSTLY else CheckpointPolicy.PREFER_RECOMPUTE
