"""What is done to the blocks of a network before it learns: forget activations, compile.

The names of parameters stay what they are, so that a checkpoint does not depend on either.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from training.train_config import Checkpointing

__all__ = ["checkpoint_activations", "compile_blocks"]

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
"""Whose results `selective` keeps."""


def checkpoint_activations(blocks: Sequence[nn.Module], kind: Checkpointing) -> None:
    """Make each block compute its activations anew in the backward pass, in place; the gradients stay the same.

    Args:
        blocks: residual or conformer blocks.
        kind: `block`: keep what goes into a block. `selective`: keep also the results of matrix products,
            convolutions and attention. `none`: keep all.
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


def compile_blocks(blocks: Sequence[nn.Module]) -> None:
    """Compile each block, in place: blocks that are alike share what was compiled, a whole network would not."""
    for block in blocks:
        block.compile()
