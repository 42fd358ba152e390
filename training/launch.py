"""Run a training task on this process: group of processes, dry run, loop and final report, for all trainers."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import torch

from foundation.settings import settings_of
from models.run_folder import RunFolder
from training.data.randomness import seed_of
from training.loop.config import TrainConfig
from training.loop.dry_run import dry_run as estimate
from training.loop.loop import train
from training.loop.parallel import ranks_of_environment
from training.loop.progress import TrainProgress
from training.loop.run_lease import held_by_ranks
from training.loop.task import Task
from training.results import TrainingResult

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["DeviceKind", "LaunchOptions", "launch", "no_notes"]

DeviceKind = Literal["cpu", "cuda"]


class _ConfiguredTask(Task[Any], Protocol):
    """A task with all of its settings, those that depend on the data included."""

    @property
    def config(self) -> "DataclassInstance": ...


TaskT = TypeVar("TaskT", bound=_ConfiguredTask)


def no_notes(_task: object) -> Sequence[str]:
    """Return no sentence: nothing about the task is unusual."""
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchOptions:
    """Options that all trainers have."""

    preset: str
    """Its name, for the record."""
    device: DeviceKind | None
    """Where to compute; None: on a GPU where there is one."""
    dry_run: bool
    """Estimate, and write nothing."""
    accept_changes: bool
    """Resume a run with other settings, or on other clips."""
    allow_pickled_checkpoint: bool
    """Resume from a checkpoint of an earlier version."""
    wait: bool
    """Wait while another training writes to the folder of the run; otherwise that is an error."""


def launch(
    build: Callable[[], TaskT],
    report: Callable[[TaskT, RunFolder, torch.device], Sequence[str]],
    config: TrainConfig,
    run: RunFolder,
    options: LaunchOptions,
    command: str,
    notes: Callable[[TaskT], Sequence[str]] = no_notes,
) -> TrainingResult:
    """Train a task, or estimate what training it would take.

    Args:
        build: makes the task; torch's generator is seeded by the run's seed then.
        report: measures the finished run on a device and returns lines of text.
        config: settings of the loop.
        run: folder.
        options: of the call.
        command: its name, for the messages of other commands on the same folder.
        notes: sentences on what is unusual about the task.
    """
    with ranks_of_environment(options.device) as ranks:
        alone = nullcontext() if options.dry_run else held_by_ranks(run.path, command, ranks, wait=options.wait)
        with alone:
            torch.manual_seed(seed_of(config.seed, "networks"))
            task = build()
            result = TrainingResult(
                run=run.path,
                steps_done=0,
                steps=config.steps,
                notes=(*notes(task), *task.notes()),
                dry_run=options.dry_run,
                rank=ranks.rank,
            )
            if options.dry_run:
                return replace(result, report=tuple(estimate(task, config, ranks).splitlines()))
            with TrainProgress(sys.stderr, visible=ranks.first) as progress:
                for note in result.notes:
                    progress.say(f"note: {note}")
                ended = train(
                    task,
                    config,
                    run,
                    ranks,
                    preset=options.preset,
                    settings=settings_of(task.config),
                    progress=progress,
                    accept_changes=options.accept_changes,
                    allow_pickled_checkpoint=options.allow_pickled_checkpoint,
                )
    result = replace(result, steps_done=ended.step, steps_skipped=ended.skipped, stopped_by=ended.stopped_by)
    # outside of the group of processes: the others need not wait while the first one measures
    if ranks.first and ended.stopped_by is None and run.newest() == run.checkpoint(ended.step):
        return replace(result, report=(*ended.lines, *report(task, run, ranks.device)))
    return result
