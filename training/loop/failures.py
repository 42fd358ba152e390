"""Failures of a run that torch tells in words of its own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed

from foundation.errors import CannotStartError, ProblemsFoundError
from training.loop.compilation import message_of_compiler
from training.loop.parallel import Ranks
from training.loop.session import Session

__all__ = ["LostRankError", "TrainError", "explained"]

_LOST_CONNECTION = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)
"""Words of the errors that a rank meets when another one has ended; they have no class of their own."""


class TrainError(ProblemsFoundError):
    """A run cannot continue; the message says why, and what to change."""


class LostRankError(CannotStartError):
    """Another process of the run has ended, so that this one cannot go on."""


@contextmanager
def explained(session: Session[Any], ranks: Ranks) -> Iterator[None]:
    """Say in a sentence what failed in the steps of a run.

    Raises:
        TrainError: a GPU's memory ran out, or a block cannot be compiled.
        LostRankError: another rank has ended.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainError(
            f"step {session.progress.step + 1} needs more memory than the GPU has: {error}; halve "
            "train.micro_batch, set train.activation_checkpointing=block, or split the network over more GPUs "
            "with train.ranks_per_copy"
        ) from error
    except RuntimeError as error:
        if ranks.size > 1 and _is_of_a_lost_rank(error):
            raise LostRankError(
                f"step {session.progress.step + 1}: rank {ranks.rank} of {ranks.size} has lost another rank, whose "
                "message says why; the same command resumes the run"
            ) from error
        message = message_of_compiler(error)
        if message is None:
            raise
        raise TrainError(
            f"step {session.progress.step + 1}: torch cannot compile a block of the network here: {message}; "
            "set train.compile=false"
        ) from error


def _is_of_a_lost_rank(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or _LOST_CONNECTION.search(str(error)) is not None
