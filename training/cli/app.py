"""The command `gaia-train diffusion`: teaches motion latents to follow speech."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.cli.options import (
    AcceptChangesOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    DryRunOption,
    PresetOption,
    RunOption,
    SetOption,
    SizeOption,
    VaeRunOption,
    exit_codes,
)
from training.cli.settings import settings

__all__ = ["app", "diffusion", "latents", "main", "vae"]


def diffusion(
    dataset: DatasetArgument,
    vae: VaeRunOption,
    run: RunOption,
    *,
    size: SizeOption = "small",
    preset: PresetOption = "recommended",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
    accept_changes: AcceptChangesOption = False,
) -> None:
    """Train the motion diffusion model on the latents of a VAE; the same command again goes on where it was stopped."""
    with exit_codes():
        from foundation.settings import load_run_config
        from foundation.storage.locations import location
        from models.run_folder import RunFolder
        from training.diffusion.config import diffusion_config
        from training.diffusion.report import motion_report, report_lines
        from training.diffusion.task import DiffusionTask
        from training.train import run_training

        settings = load_run_config(diffusion_config(size, preset), config, overrides or [])
        built: list[DiffusionTask] = []

        def task_of() -> DiffusionTask:
            built.append(DiffusionTask(location(dataset), RunFolder(vae).weights(), settings))
            return built[0]

        run_training(
            task_of,
            lambda task: task.config,
            settings.train,
            preset=preset,
            run=run,
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
        )
        is_done = RunFolder(run).newest() == RunFolder(run).checkpoint(settings.train.steps)
        if is_done and not dry_run and os.environ.get("RANK", "0") == "0":
            where = next(built[0].model.parameters()).device
            typer.echo("\n".join(report_lines(motion_report(built[0], RunFolder(run), where))))


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def vae(
    dataset: DatasetArgument,
    run: RunOption,
    *,
    size: SizeOption = "small",
    preset: PresetOption = "recommended",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
    accept_changes: AcceptChangesOption = False,
) -> None:
    """Train the VAE on pairs of frames of clips; the same command again goes on where it was stopped."""
    with exit_codes():
        from foundation.settings import load_run_config
        from foundation.storage.locations import location
        from models.run_folder import RunFolder
        from training.train import run_training
        from training.vae.config import vae_config
        from training.vae.report import reconstruction_report, report_lines
        from training.vae.task import VaeTask

        settings = load_run_config(vae_config(size, preset), config, overrides or [])
        built: list[VaeTask] = []

        def task_of() -> VaeTask:
            built.append(VaeTask(location(dataset), settings))
            return built[0]

        run_training(
            task_of,
            lambda task: task.config,
            settings.train,
            preset=preset,
            run=run,
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
        )
        is_done = RunFolder(run).newest() == RunFolder(run).checkpoint(settings.train.steps)
        if is_done and not dry_run and os.environ.get("RANK", "0") == "0":
            where = next(built[0].vae.parameters()).device
            typer.echo("\n".join(report_lines(reconstruction_report(built[0], RunFolder(run), where))))


app.command()(vae)


def latents(
    dataset: Annotated[
        str, typer.Argument(help="Folder of a dataset, or its address.", metavar="DATASET", show_default=False)
    ],
    *,
    vae: Annotated[
        Path, typer.Option("--vae", help="Folder of a run of `gaia-train vae`.", metavar="VAE_RUN", show_default=False)
    ],
    where: Annotated[
        str | None, typer.Option(help="SQL condition over the view `clips`; default: all of tier diffusion.")
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None, typer.Option(help="Default: a GPU where there is one.", show_default=False)
    ] = None,
) -> None:
    """Encode the clips of a dataset with a trained VAE, beside the dataset; clips that have latents are left alone."""
    from foundation.storage.locations import location
    from models.run_folder import RunFolder
    from training.data.selection import DataConfig, select_clips
    from training.latents.encode import write_latents
    from training.latents.files import latents_folder
    from training.loop.parallel import ranks_of_environment
    from training.loop.progress import TrainProgress

    with exit_codes():
        weights = RunFolder(vae).weights("ema")
        index = select_clips(
            location(dataset), DataConfig(tiers=("diffusion",), splits=("train", "val", "test"), where=where)
        )
        with ranks_of_environment(device) as ranks, TrainProgress(sys.stderr, shown=ranks.first) as progress:
            progress.start(0, len(index))
            facts = write_latents(index, weights, ranks=ranks, on_clip=progress.advance)
    if facts is None:
        typer.echo("this process is done; others still encode")
        return
    typer.echo(f"latents: {latents_folder(location(dataset), facts.vae_sha256)}")
    typer.echo(f"{facts.clips - facts.damaged} clips, {facts.frames} frames")
    if facts.damaged:
        typer.echo(f"damaged clips, without latents: {facts.damaged}; `gaia-curate validate {dataset}` lists them")
        raise typer.Exit(1)


app.command()(latents)

app.command()(diffusion)

app.command()(settings)


@app.callback()
def _gaia_train() -> None:
    """Train talking avatars on a dataset that `gaia-curate` made."""


@app.command()
def params(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON objects in place of a table.")] = False,
) -> None:
    """Print how many parameters each network has at each size, beside the paper's counts."""
    from training.experiments import parameters as parameter_table

    rows = parameter_table.parameter_rows()
    typer.echo(json.dumps(parameter_table.as_json(rows), indent=2) if as_json else parameter_table.as_text(rows))


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()
