"""Failures of a run: too many steps whose gradients are not finite, and what torch tells in words of its own."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed

from foundation.errors import CannotStartError, ProblemsFoundError
from foundation.text import count_text
from training.loop.compilation import message_of_compiler
from training.loop.config import TrainConfig
from training.loop.parallel import Ranks
from training.loop.session import Session

__all__ = ["BadSteps", "LostRankError", "TrainError", "explained"]

_LOST_CONNECTION = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)
"""Words of the errors that a rank meets when another one has ended; they have no class of their own."""


class TrainError(ProblemsFoundError):
    """A run cannot continue; the message says why, and what to change."""


class LostRankError(CannotStartError):
    """Another process of the run has ended, so that this one cannot go on."""


class BadSteps:
    """Count of the skipped steps since the last checkpoint. Single ones are no reason to worry, many are."""

    def __init__(self, config: TrainConfig) -> None:
        """Start to count at a checkpoint, or at the beginning of a run."""
        self._config = config
        self._steps = self._bad = self._in_a_row = 0
        self._networks: Sequence[str] = ()

    def add(self, networks: Sequence[str], in_a_row: int) -> None:
        """Count a step.

        Args:
            networks: those with gradients that are not finite; none: the step was taken.
            in_a_row: skipped steps up to this one without a step taken between them, over checkpoints too.
        """
        self._steps += 1
        self._in_a_row = in_a_row
        if networks:
            self._bad += 1
            self._networks = networks

    def problem(self, *, at_checkpoint: bool) -> str | None:
        """Return why the run has to end; None: it may go on.

        Args:
            at_checkpoint: whether a checkpoint is due, which vouches for the steps before it; otherwise the share is
                not judged before `train.max_bad_steps` steps were skipped.
        """
        limit, share = self._config.max_bad_steps, self._config.max_bad_share
        named = ", ".join(self._networks)
        if self._in_a_row >= limit:
            return f"gradients of {named} were not finite in {count_text(self._in_a_row, 'step')} in a row"
        if (at_checkpoint or self._bad >= limit) and self._bad > share * self._steps:
            return (
                f"gradients of {named} were not finite in {self._bad} of {self._steps} steps, more than "
                f"train.max_bad_share {share:g}"
            )
        return None

    def reset(self) -> None:
        """Begin anew, after a checkpoint was written."""
        self._steps = self._bad = 0


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
