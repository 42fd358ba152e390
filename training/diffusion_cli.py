"""The command `gaia-train diffusion`: teaches motion latents to follow speech."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["diffusion"]


def diffusion(
    dataset: Annotated[str, typer.Argument(help="Folder of a dataset, or its address.", show_default=False)],
    vae: Annotated[
        Path, typer.Option("--vae", help="Folder of a run of `gaia-train vae`.", metavar="VAE_RUN", show_default=False)
    ],
    run: Annotated[Path, typer.Option("--run", help="Folder of this run; it goes on there.", show_default=False)],
    *,
    size: Annotated[Literal["tiny", "small", "base", "large"], typer.Option(help="Of the network.")] = "small",
    preset: Annotated[
        Literal["recommended", "paper"], typer.Option(help="Which settings to begin with.")
    ] = "recommended",
    config: Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change one setting; may be repeated.")
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option(help="Default: a GPU where there is one.", show_default=False)
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Go on with a run under other settings.")
    ] = False,
) -> None:
    """Train the motion diffusion model on the latents of a VAE; the same command again goes on where it was stopped."""
    from manifests.storage import location
    from training.diffusion_config import diffusion_config
    from training.diffusion_task import DiffusionTask
    from training.dist import ranks_of_environment
    from training.exit_codes import exit_codes
    from training.loop import train
    from training.motion_report import motion_report, report_lines
    from training.progress import TrainProgress
    from training.run_config import load_run_config, settings_of
    from training.run_folder import RunFolder

    with exit_codes():
        settings = load_run_config(diffusion_config(size, preset), config, overrides or [])
        with ranks_of_environment(device) as ranks, TrainProgress(sys.stderr, shown=ranks.first) as progress:
            task = DiffusionTask(location(dataset), RunFolder(vae).weights(), settings)
            progress.say(task.data_summary())
            report = train(
                task,
                settings.train,
                RunFolder(run),
                ranks,
                preset=preset,
                settings=settings_of(task.config),
                progress=progress,
                accept_changes=accept_changes,
            )
            if ranks.first and report.stopped_by is None:
                typer.echo("\n".join(report_lines(motion_report(task, RunFolder(run), ranks.device))))
