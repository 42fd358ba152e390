"""The command `gaia-train`: parses, calls one library function, prints what it returns, ends with an exit code."""

from typing import Annotated

import typer

from foundation.errors import EXIT_PROBLEMS
from foundation.program_end import run_program
from training.cli.evaluation import evaluate
from training.cli.options import (
    AcceptChangesOption,
    AllowPickledOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    DryRunOption,
    PresetOption,
    RunOption,
    SetOption,
    SizeOption,
    VaeRunOption,
    WaitOption,
    exit_codes,
    print_result,
)
from training.cli.paper_rows import experiment
from training.cli.ratings import rating_sheet, rating_table
from training.cli.settings import settings
from training.cli.tables import experiments, params

__all__ = [
    "app",
    "diffusion",
    "evaluate",
    "experiment",
    "experiments",
    "latents",
    "main",
    "params",
    "rating_sheet",
    "rating_table",
    "settings",
    "texts",
    "vae",
]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _gaia_train() -> None:
    """Train talking avatars on a dataset that `gaia-curate` made."""


@app.command()
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
    allow_pickled_checkpoint: AllowPickledOption = False,
    wait: WaitOption = False,
) -> None:
    """Train the VAE on pairs of frames of clips; the same command again resumes the run."""
    with exit_codes():
        from training import train_vae

        result = train_vae(
            dataset,
            run,
            size=size,
            preset=preset,
            config_file=config,
            overrides=overrides or (),
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
            allow_pickled_checkpoint=allow_pickled_checkpoint,
            wait=wait,
        )
        print_result(result)


@app.command()
def latents(
    dataset: DatasetArgument,
    vae: VaeRunOption,
    *,
    where: Annotated[
        str | None, typer.Option(help="SQL condition over the view `clips`; by default all of tier diffusion.")
    ] = None,
    device: DeviceOption = None,
    wait: WaitOption = False,
) -> None:
    """Encode the clips of a dataset with a trained VAE; clips that have latents are not encoded again."""
    with exit_codes():
        from training import encode_latents

        result = encode_latents(dataset, vae, where=where, device=device, wait=wait)
        typer.echo(str(result))
        if result.damaged:
            raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def texts(
    dataset: DatasetArgument,
    encoder: Annotated[
        str,
        typer.Option(
            metavar="FOLDER", help="CLIP's text encoder: its folder, or its name among your models.", show_default=False
        ),
    ],
    *,
    device: DeviceOption = None,
    wait: WaitOption = False,
) -> None:
    """Encode the instructions of a dataset's clips, for a motion model that text drives."""
    with exit_codes():
        from training import encode_texts

        typer.echo(str(encode_texts(dataset, encoder, device=device, wait=wait)))


@app.command()
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
    allow_pickled_checkpoint: AllowPickledOption = False,
    wait: WaitOption = False,
) -> None:
    """Train the motion diffusion model on the latents of a VAE; the same command again resumes the run."""
    with exit_codes():
        from training import train_diffusion

        result = train_diffusion(
            dataset,
            vae,
            run,
            size=size,
            preset=preset,
            config_file=config,
            overrides=overrides or (),
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
            allow_pickled_checkpoint=allow_pickled_checkpoint,
            wait=wait,
        )
        print_result(result)


app.command()(experiment)

app.command()(experiments)

app.command()(params)

app.command()(settings)

app.command()(evaluate)

app.command()(rating_sheet)

app.command()(rating_table)


def main() -> None:
    """Run the command line; the entry point of the package."""
    run_program("gaia-train", app)
