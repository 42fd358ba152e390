"""Steps that were skipped because gradients were not finite: how many a run bears before it ends with an error."""

from collections.abc import Sequence

from training.loop.config import TrainConfig

__all__ = ["BadSteps"]


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
            return f"gradients of {named} were not finite in {self._in_a_row} steps in a row"
        if (at_checkpoint or self._bad >= limit) and self._bad > share * self._steps:
            return (
                f"gradients of {named} were not finite in {self._bad} of {self._steps} steps, more than "
                f"train.max_bad_share {share:g}"
            )
        return None

    def reset(self) -> None:
        """Begin anew, after a checkpoint was written."""
        self._steps = self._bad = 0
