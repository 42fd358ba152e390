"""Validate the averaged network in the course of a run, keep the best one, and notice when it gets no better."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from foundation.settings import SettingsError
from foundation.text import duration_text
from models.run_folder import RunFolder
from training.loop.config import TrainConfig
from training.loop.session import Session
from training.loop.validation.best import BestWeights
from training.loop.validation.held_out_metrics import Best, Better, Validation, ValidationPass, is_better, measured

__all__ = ["Validator", "require_best_metric"]

_PREFIX = "validation/"
"""Of the names of all metrics in the log."""


def require_best_metric(validation: Validation | None, config: TrainConfig) -> None:
    """Refuse a metric that the validation does not have.

    Raises:
        SettingsError: `train.best_metric` is none of the metrics.
    """
    if validation is not None:
        _best_metric(validation, config)


def _best_metric(validation: Validation, config: TrainConfig) -> tuple[str, Better]:
    """Return the metric that decides which network is the best, and which values of it are better."""
    names = validation.metrics
    name = next(iter(names)) if config.best_metric is None else config.best_metric
    if name not in names:
        raise SettingsError(f"train.best_metric is {name!r}; give one of {', '.join(names)}")
    return name, names[name]


class Validator:
    """The validations of a run; every rank has to call each method. What it knows is in the progress of the session."""

    def __init__(
        self,
        session: Session[Any],
        validation: Validation | None,
        config: TrainConfig,
        run: RunFolder,
        say: Callable[[str], None],
    ) -> None:
        """Go on from the progress of the session.

        Args:
            session: networks and progress.
            validation: what is measured; None: nothing.
            config: settings of the loop, whose `best_metric` is one of the validation.
            run: the folder.
            say: takes a sentence for the user where the best network so far cannot be taken up.
        """
        self._session, self._validation, self._config, self._run = session, validation, config, run
        self._weights = BestWeights(run, session.ranks)
        self._begun_s = time.perf_counter()
        self._spent_s, self._count = 0.0, 0
        if validation is not None:
            self._resume(validation, say)

    def _resume(self, validation: Validation, say: Callable[[str], None]) -> None:
        """Take up the best network of the checkpoint that the run goes on from, as far as it can be compared."""
        best, (metric, _) = self._session.progress.best, _best_metric(validation, self._config)
        if best is None:
            self._weights.keep_only(None)  # those of a course that was given up
            return
        if (best.metric, best.identity) != (metric, validation.identity):
            say(
                f"the best network so far, of step {best.step}, was chosen by {best.metric} on clips that were given "
                f"then; it cannot be compared by {metric} on those of now, so the choice begins anew"
            )
        elif not self._weights.holds(best.step):
            say(f"the best network so far, of step {best.step}, is not in {self._run.best}: the choice begins anew")
        else:
            self._weights.restore(best.step)
            return
        self._session.progress = replace(self._session.progress, best=None)

    def measure(self, *, last: bool) -> dict[str, float]:
        """Measure the network if that is due after the step that was taken, and keep it if it is the best so far.

        Args:
            last: whether the step is the last of the run.

        Returns:
            The metrics by their names in the log; none where nothing is due.

        Raises:
            OSError: the disk refused; the best network before is as it was.
        """
        session, validation, config = self._session, self._validation, self._config
        if validation is None or config.validate_every is None:
            return {}
        if not last and session.progress.step % config.validate_every:
            return {}
        begun_s = time.perf_counter()
        where = ValidationPass(device=session.ranks.device, bf16=config.precision == "bf16")
        with session.averaged():
            metrics = measured(validation, where, session.ranks)
        self._choose(validation, metrics)
        spent_s = time.perf_counter() - begun_s
        self._spent_s += spent_s
        self._count += 1
        return {f"{_PREFIX}{name}": value for name, value in {**metrics, "seconds": spent_s}.items()}

    def _choose(self, validation: Validation, metrics: dict[str, float]) -> None:
        session, (metric, better) = self._session, _best_metric(validation, self._config)
        step, best, value = session.progress.step, session.progress.best, metrics.get(metric, math.nan)
        if math.isfinite(value) and (best is None or is_better(value, best.value, better)):
            self._weights.save(step, session.state, session.export, metrics)
            best = Best(metric=metric, value=value, step=step, identity=validation.identity)
        elif best is not None:
            best = replace(best, since=best.since + 1)
        session.progress = replace(session.progress, best=best)

    @property
    def has_lost_patience(self) -> bool:
        """Whether the network has not got better in as many validations as `train.patience` says."""
        best, patience = self._session.progress.best, self._config.patience
        if self._validation is None or best is None or patience is None:
            return False
        return best.since >= patience

    def tidy(self) -> None:
        """Remove networks that were the best once; called when a checkpoint is complete that knows a better one."""
        best = self._session.progress.best
        if best is not None:
            self._weights.keep_only(best.step)

    def lines(self) -> list[str]:
        """Return sentences for the report of a run: its best network, why it ended early, what validation cost."""
        best, found = self._session.progress.best, []
        if best is not None:
            if self.has_lost_patience and self._session.progress.step < self._config.steps:
                found.append(
                    f"ended early at step {self._session.progress.step}: {best.metric} did not get better in "
                    f"{best.since} validations (train.patience={self._config.patience})"
                )
            found.append(
                f"best of the validations: {best.metric} {best.value:.4g} at step {best.step}, kept in {self._run.best}"
            )
        if self._count:
            share = self._spent_s / (time.perf_counter() - self._begun_s)
            found.append(f"{self._count} validations took {duration_text(self._spent_s)}, {share:.1%} of the time")
        return found
