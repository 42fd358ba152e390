"""What the commands that train have in common: processes, dry run, the loop, exit code.

A command parses its options, builds its settings and calls `run_training`:

    with exit_codes():
        settings = load_run_config(vae_config(size, preset), config, overrides or [])
        run_training(lambda: VaeTask(dataset, settings), lambda task: task.config, settings.train, preset=preset, ...)
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
import typer

from foundation.errors import EXIT_INTERRUPTED
from foundation.settings import settings_of
from models.run_folder import RunFolder
from training.data.randomness import seed_of
from training.loop.config import TrainConfig
from training.loop.dry_run import dry_run as dry_run_library
from training.loop.loop import train
from training.loop.parallel import ranks_of_environment
from training.loop.progress import TrainProgress
from training.loop.task import Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["run_training"]

TaskT = TypeVar("TaskT", bound=Task[Any])


def run_training(
    task_of: Callable[[], TaskT],
    settings: Callable[[TaskT], "DataclassInstance"],
    config: TrainConfig,
    *,
    preset: str,
    run: Path,
    device: Literal["cpu", "cuda"] | None,
    dry_run: bool,
    accept_changes: bool,
) -> None:
    """Train, or say what training would take, and raise `typer.Exit` where the code is not 0.

    SIGTERM ends with 0: a checkpoint is written, and a cluster that takes a machine back has lost nothing.

    Args:
        task_of: builds the task; torch's generator is seeded by the run's seed then.
        settings: all of them, for the record, as the task has completed them.
        config: the part of them that the loop reads.
        preset: its name, for the record.
        run: folder.
        device: where to compute; None: on a GPU where there is one.
        dry_run: print what it would take, and write nothing.
        accept_changes: go on with other settings than those of the folder.
    """
    with ranks_of_environment(device) as ranks:
        torch.manual_seed(seed_of(config.seed, "networks"))
        task = task_of()
        if dry_run:
            said = dry_run_library(task, config, ranks)
            if ranks.first:
                typer.echo(said)
            return
        with TrainProgress(sys.stderr, shown=ranks.first) as progress:
            report = train(
                task,
                config,
                RunFolder(run),
                ranks,
                preset=preset,
                settings=settings_of(settings(task)),
                progress=progress,
                accept_changes=accept_changes,
            )
        if ranks.first:
            typer.echo(f"{run}: {report.step} of {config.steps} steps are done")
    if report.stopped_by == signal.SIGINT:
        raise typer.Exit(EXIT_INTERRUPTED)
