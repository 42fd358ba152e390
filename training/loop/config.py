"""Settings that all trainers share: how long, how much at once, how it is laid out, what is kept.

Each trainer has a config of its own with a field `train` of this type, so that `--set train.steps=1000` is the same
name everywhere.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Checkpointing", "TrainConfig"]

Checkpointing = Literal["none", "block", "selective"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How a run goes on. Defaults are ours where no origin is given; presets of the trainers change them."""

    steps: int
    """Optimiser steps of the whole run."""
    batch: int
    """Samples per step, over all ranks and passes."""
    micro_batch: int
    """Samples that one rank takes at once. batch / (micro_batch * ranks) passes make a step."""
    seed: int = 0
    precision: Literal["bf16", "fp32"] = "bf16"
    """`bf16`: autocast; weights, their average, norms and losses stay in float32."""
    activation_checkpointing: Checkpointing = "none"
    """What is computed anew in the backward pass to save memory: nothing, each block, or all of each block but
    its matrix products, convolutions and attention."""
    compile: bool = False
    """Compile each block."""
    ranks_per_copy: int = 1
    """Over how many ranks a copy of the networks is split; 1: each rank holds one."""
    ema_decay: float = 0.9999
    """Of the averaged weights, reached as min(ema_decay, (1 + s) / (10 + s)) at step s."""
    max_gradient_norm: float | None = None
    """Gradients of a network that are longer are shortened to it. None: never."""
    max_bad_steps: int = 20
    """So many steps in a row with gradients that are not finite end the run; each is skipped."""
    workers: int = 2
    """Loader processes of each rank; 0: the trainer loads by itself."""
    log_every: int = 20
    """Steps from one line of the log to the next."""
    pictures_every: int = 1000
    """Steps from one set of pictures to the next."""
    checkpoint_every: int = 1000
    """Steps from one checkpoint to the next; the last step always has one."""
    keep_newest: int = 2
    """Checkpoints that are kept."""
    keep_every: int | None = None
    """Checkpoints of steps that are a multiple of it are kept for good."""
    tensorboard: bool = True
    """Write TensorBoard's files beside the JSON lines."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "micro_batch", "ranks_per_copy", "max_bad_steps", "keep_newest"):
            self._require(name, at_least=1)
        for name in ("log_every", "pictures_every", "checkpoint_every"):
            self._require(name, at_least=1)
        self._require("workers", at_least=0)
        if self.keep_every is not None:
            self._require("keep_every", at_least=1)
        if not 0.0 <= self.ema_decay < 1.0:
            raise ValueError(f"ema_decay is {self.ema_decay}; give a share from 0 to below 1, such as 0.9999")
        if self.max_gradient_norm is not None and not self.max_gradient_norm > 0.0:
            raise ValueError(f"max_gradient_norm is {self.max_gradient_norm}; give a length above 0, or null for none")

    def _require(self, name: str, *, at_least: int) -> None:
        value = getattr(self, name)
        if value < at_least:
            raise ValueError(f"{name} is {value}; give a whole number from {at_least} on")
