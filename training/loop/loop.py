"""Training loop of all trainers: steps, log, preview images, checkpoints, until the last step or a stop request.

The same call on a folder that holds checkpoints resumes from the newest one, and yields the same numbers as a run that
was never interrupted.
"""

import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from foundation.settings import Setting
from foundation.signals import StopRequest
from foundation.storage.leases import require_lease
from models.run_folder import RunFolder
from training.data.order import BatchShape
from training.loop.checkpoints import save_checkpoint
from training.loop.config import TrainConfig
from training.loop.contact_sheet import write_previews
from training.loop.estimates import require_disk, require_memory
from training.loop.failures import BadSteps, TrainError, explained
from training.loop.loading import LoaderError, StepBatches, step_batches
from training.loop.metrics import MetricsLog, RunningMeans
from training.loop.parallel import Ranks
from training.loop.progress import TrainProgress
from training.loop.resuming import load_newest
from training.loop.run_folder import begin_run, require_same_run
from training.loop.session import Session, StepResult, batch_shape
from training.loop.task import Task
from training.loop.validation.validator import Validator, require_best_metric

__all__ = ["TrainError", "TrainReport", "train"]

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainReport:
    """End of a call of `train`."""

    step: int
    """Steps done, those of earlier calls included."""
    skipped: int
    """Steps among these that changed nothing, because gradients were not finite."""
    stopped_by: signal.Signals | None
    """The signal that stopped the run, on this rank or another; None: all steps were done, or `train.patience` ended
    it."""
    lines: tuple[str, ...] = ()
    """Sentences on its validations."""


def train(
    task: Task[BatchT],
    config: TrainConfig,
    run: RunFolder,
    ranks: Ranks,
    *,
    preset: str,
    settings: Mapping[str, Setting],
    progress: TrainProgress,
    accept_changes: bool = False,
    allow_pickled_checkpoint: bool = False,
) -> TrainReport:
    """Train until `config.steps` steps are done; every rank has to call it.

    Args:
        task: what to train; see `training.loop.task`.
        config: settings of the loop.
        run: new folder, or that of a run to resume.
        ranks: the processes.
        preset: name of it, for the record.
        settings: all settings of the run, for the record and to be compared with those of the folder.
        progress: bar or lines for the user.
        accept_changes: resume with other settings, or on other data, than the folder records.
        allow_pickled_checkpoint: resume from a checkpoint of an earlier version.

    Raises:
        RunFolderError: the folder is of another run.
        CheckpointError: no checkpoint is whole, or the newest is of other networks or of an earlier version.
        SettingsError: the settings do not fit the number of ranks.
        ResourceError: memory or disk are too small.
        LoaderError: a loader process ended, or brings no batch.
        TrainError: gradients were not finite too often, weights are not finite, a block cannot be compiled, or a
            GPU's memory ran out.
        OSError: the disk refused; the last checkpoint is complete.
    """
    shape = batch_shape(config, ranks)
    validation = task.validation()
    require_best_metric(validation, config)
    # all ranks check before one writes: a later check would find a folder with files, and no run yet
    data = task.data()
    # a run that has no checkpoint has learnt nothing yet, such as one that was refused as its dataset changed
    accept_changes = accept_changes or not run.checkpoints()
    require_same_run(run, task.name, settings, data, accept_changes=accept_changes)
    ranks.wait()
    if ranks.first:
        files = task.write_run_files
        begin_run(run, task.name, preset, settings, data, lambda: files(run.path, accept_changes=accept_changes))
    ranks.wait()
    require_memory(task, config, ranks)
    session = Session(task, config, ranks)
    resumed = load_newest(run, session.state, ranks, allow_pickled=allow_pickled_checkpoint, say=progress.say)
    session.progress = resumed or session.progress
    require_disk(session.n_parameters, session.export.network, run, config)
    validator = Validator(session, validation, config, run, progress.say)
    with StopRequest() as stop:
        return _Loop(session, config, run, progress, stop, validator).run(shape)


class _Loop(Generic[BatchT]):
    def __init__(
        self,
        session: Session[BatchT],
        config: TrainConfig,
        run: RunFolder,
        progress: TrainProgress,
        stop: StopRequest,
        validator: Validator,
    ) -> None:
        self._session, self._config, self._run, self._stop = session, config, run, stop
        self._validator = validator
        self._progress = progress
        self._ranks = session.ranks
        self._means = RunningMeans()
        self._log: MetricsLog | None = None
        self._since_s = time.perf_counter()
        self._steps_since = self._bad_since = 0
        self._bad_steps = BadSteps(config)

    def run(self, shape: BatchShape) -> TrainReport:
        first, config = self._session.progress.step, self._config
        self._progress.start(first, config.steps)
        with ExitStack() as files:
            if self._ranks.first:
                self._log = files.enter_context(MetricsLog(self._run, first, tensorboard=config.tensorboard))
            files.enter_context(explained(self._session, self._ranks))
            return self._steps(shape)

    def _steps(self, shape: BatchShape) -> TrainReport:
        session, config = self._session, self._config
        saved = session.progress.step
        stopped, given_up = False, self._validator.has_lost_patience
        with step_batches(
            session.task.source,
            shape,
            session.progress.cursor,
            seed=config.seed,
            workers=config.workers,
            pin=self._ranks.device.type == "cuda",
        ) as batches:
            self._since_s = time.perf_counter()
            while session.progress.step < config.steps and not stopped and not given_up:
                batch = self._taken(batches)
                result = None if batch is None else session.step(batch)
                if result is not None:
                    self._note(result)
                step = session.progress.step
                last = step == config.steps
                # a signal reaches the ranks at different steps; all of them stop after the same one
                stopped = self._ranks.any(self._stop.signal is not None)
                if result is not None:
                    self._tell(result, at_end=last or stopped, last=last)
                given_up = self._validator.has_lost_patience
                if step > saved and (step % config.checkpoint_every == 0 or last or stopped or given_up):
                    self._save(judged=last or not stopped)
                    saved = step
        if stopped:
            written = f"checkpoint at step {saved} written" if saved else "no step was done"
            self._progress.say(f"stopped by a signal: {written}; the same command resumes the run")
        return TrainReport(
            step=session.progress.step,
            skipped=session.progress.skipped,
            stopped_by=(self._stop.signal or signal.SIGTERM) if stopped else None,
            lines=tuple(self._validator.lines()),
        )

    def _taken(self, batches: StepBatches[BatchT]) -> list[BatchT] | None:
        """Return the batches of the next step; None: none came after a signal, and this rank is alone.

        Raises:
            LoaderError: no batch comes.
        """
        try:
            return batches.take(self._stop.limited_wait(self._config.loader_patience_s))
        except LoaderError:
            # other ranks are within the step that this one cannot take, so none of them could write its checkpoint
            if self._stop.signal is None or self._ranks.size > 1:
                raise
            return None

    def _tell(self, result: StepResult, *, at_end: bool, last: bool) -> None:
        """Measure the network where that is due after a step, and write the log and the preview images."""
        step, config = self._session.progress.step, self._config
        begun_s = time.perf_counter()
        measured = self._validator.measure(last=last)
        self._since_s += time.perf_counter() - begun_s
        if step % config.log_every == 0 or at_end:
            self._write_line(result, measured)
        elif measured:
            self._write(measured)
        if step % config.pictures_every == 0 or last:
            self._write_previews()

    def _note(self, result: StepResult) -> None:
        """Count a step, and end the run after too many bad ones.

        Raises:
            TrainError: too many steps were skipped.
        """
        progress, bad = self._session.progress, result.bad_networks
        self._progress.advance()
        self._steps_since += 1
        self._bad_steps.add(bad, progress.bad_steps)
        if result.good:
            norms = {f"gradient_norm/{name}": norm for name, norm in result.gradient_norms.items()}
            self._means.add({**result.metrics, **norms})
            return
        self._bad_since += 1
        self._progress.say(
            f"step {progress.step} is skipped: gradients of {', '.join(bad)} are not finite; {progress.skipped} of "
            f"{progress.step} steps were skipped so far"
        )
        self._judge(at_checkpoint=False)

    def _judge(self, *, at_checkpoint: bool) -> None:
        """End the run if it has skipped too many steps."""
        problem = self._bad_steps.problem(at_checkpoint=at_checkpoint)
        if problem is not None:
            raise self._error(problem)

    def _error(self, problem: str) -> TrainError:
        newest = self._run.newest()
        return TrainError(
            f"{problem}, the last of them {self._session.progress.step}; the newest checkpoint is "
            f"{newest.name if newest else 'none'}: lower the learning rate, set train.max_gradient_norm, or "
            "train.precision=fp32, and go on with --accept-changes"
        )

    def _write_line(self, result: StepResult, measured: Mapping[str, float]) -> None:
        session, config = self._session, self._config
        now_s = time.perf_counter()
        values = self._means.take(self._ranks)
        values["learning_rate"] = result.learning_rate
        values[f"{session.task.unit}_per_second"] = self._steps_since * config.batch / (now_s - self._since_s)
        cursor = session.progress.cursor
        values["epoch"] = cursor.epoch + cursor.position / len(session.task.source)
        values["bad_steps"] = float(self._bad_since)
        values["bad_steps_in_all"] = float(session.progress.skipped)
        self._since_s, self._steps_since, self._bad_since = now_s, 0, 0
        self._write({**values, **measured})

    def _write(self, values: Mapping[str, float]) -> None:
        require_lease(self._run.path)
        if self._log is not None:
            self._log.write(self._session.progress.step, values)
        self._progress.log(values)

    def _write_previews(self) -> None:
        session, step = self._session, self._session.progress.step
        begun_s = time.perf_counter()
        with session.averaged():
            previews = session.task.previews()
        require_lease(self._run.path)
        if self._log is not None:
            write_previews(self._run.previews, self._run.contact_sheet, step, previews)
            self._log.show(step, previews)
        self._since_s += time.perf_counter() - begun_s

    def _save(self, *, judged: bool) -> None:
        """Write a checkpoint.

        Args:
            judged: whether it vouches for the steps before it; that of a run that a signal stops does not.

        Raises:
            TrainError: too many steps were skipped, or weights are not finite; nothing is written.
        """
        session, config = self._session, self._config
        if judged:
            self._judge(at_checkpoint=True)
        if self._ranks.any(not session.weights_are_finite()):
            raise self._error("weights, or averages of them, are not finite after all steps")
        begun_s = time.perf_counter()
        require_lease(self._run.path)
        save_checkpoint(
            self._run,
            session.progress,
            session.state,
            session.export,
            self._ranks,
            keep_newest=config.keep_newest,
            keep_every=config.keep_every,
        )
        self._validator.tidy()
        self._bad_steps.reset()
        self._since_s += time.perf_counter() - begun_s
