"""Settings that all trainers share: length, batch, layout over GPUs, checkpoints and logs of a run.

Each trainer has a config of its own with a field `train` of this type, so that `--set train.steps=1000` is the same
name everywhere.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section

__all__ = ["Checkpointing", "TrainConfig"]

Checkpointing = Literal["none", "block", "selective"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig(Section):
    """Settings of the training loop. Defaults are ours; presets of the trainers change some of them."""

    steps: Annotated[int, Field(ge=1)]
    """Optimiser steps of the run."""
    batch: Annotated[int, Field(ge=1)]
    """Samples per step, over all ranks and passes."""
    micro_batch: Annotated[int, Field(ge=1)]
    """Samples that one rank computes at once; less needs less memory. A step has batch / (micro_batch * ranks) passes,
    which must be a whole number."""
    seed: int = 0
    """Seed of all random numbers: first weights, order of samples, noise."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Number format of the networks' computations. `bf16`: bfloat16 by autocast, while weights, their average, norms
    and losses stay in float32; for GPUs. `fp32`: float32 throughout."""
    activation_checkpointing: Checkpointing = "none"
    """Activations that are recomputed in the backward pass to save memory: `none`, `block`: those of each block,
    `selective`: those of each block but the results of matrix products, convolutions and attention."""
    compile: bool = False
    """Whether each block is compiled by torch.compile: the first step with batches of a new length takes minutes, later
    ones are faster on a GPU."""
    ranks_per_copy: Annotated[int, Field(ge=1)] = 1
    """Ranks (GPUs) over which one copy of the networks is split (FSDP), for networks that do not fit one GPU. 1: each
    rank holds a copy (DDP). Divides the number of ranks."""
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9999
    """Decay of the exponential moving average of the weights, reached as min(ema_decay, (1 + s) / (10 + s)) at step
    s."""
    max_gradient_norm: Annotated[float, Field(gt=0.0)] | None = None
    """Largest norm of the gradients of a network; longer ones are clipped to it. null: no clipping."""
    max_bad_steps: Annotated[int, Field(ge=1)] = 20
    """Consecutive steps with gradients that are not finite after which the run ends; each such step is skipped."""
    max_bad_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """Largest share of such steps since the last checkpoint. A run with more ends with an error in place of the next
    checkpoint, or as soon as `max_bad_steps` steps were skipped. Ours: single ones are harmless, and no loss is scaled
    here, which would need some."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Loader processes of each rank; 0: the trainer loads by itself."""
    loader_patience_s: Annotated[float, Field(gt=0.0)] = 600.0
    """Longest wait for a batch; after it the run ends, and its message says what the loader processes do. Ours: the
    slowest disk or store that is worth training from brings a batch sooner."""
    log_every: Annotated[int, Field(ge=1)] = 20
    """Steps from one line of the log to the next."""
    pictures_every: Annotated[int, Field(ge=1)] = 1000
    """Steps from one set of preview images to the next."""
    validate_every: Annotated[int, Field(ge=1)] | None = 1000
    """Steps from one validation to the next: the averaged network is measured on people that it does not learn from.
    The last step always has one. null: no validation."""
    validation_split: Literal["val", "test"] = "val"
    """Split of these people."""
    validation_clips: Annotated[int, Field(ge=2)] = 32
    """Clips that are measured, at most, of as many people as there are. Ours."""
    best_metric: str | None = None
    """Metric of the validation by which the best network is kept, whatever checkpoints are removed. null: `psnr_db` of
    the VAE, `motion_error` of the motion model, `speech_gain` of one that makes landmarks."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Validations in a row that are not better than the best one, after which the run ends early. null: it never
    does."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 1000
    """Steps from one checkpoint to the next; the last step always has one."""
    keep_newest: Annotated[int, Field(ge=1)] = 2
    """Number of newest checkpoints that are kept."""
    keep_every: Annotated[int, Field(ge=1)] | None = None
    """Checkpoints of steps that are a multiple of it are never removed. null: only the newest are kept."""
    tensorboard: bool = True
    """Whether TensorBoard's files are written besides the JSON lines of the metrics."""
