"""The command `gaia-train`: parses, calls one library function, prints what it returns, ends with an exit code."""

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import EXIT_INTERRUPTED, EXIT_PROBLEMS
from foundation.program_end import run_program
from training.cli.comparison import evaluate
from training.cli.options import (
    AcceptChangesOption,
    AllowPickledOption,
    ConfigOption,
    DatasetArgument,
    DeviceOption,
    DryRunOption,
    OptionalVaeRunOption,
    PresetOption,
    RunOption,
    SetOption,
    SizeOption,
    VaeRunOption,
    WaitOption,
    exit_codes,
)
from training.cli.ratings import rating_sheet, rating_table
from training.cli.settings import settings
from training.cli.tables import experiments, params

if TYPE_CHECKING:
    from training import TrainingResult

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
        _print(result)


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
        _print(result)


@app.command()
def experiment(
    name: Annotated[
        str,
        typer.Argument(help="Name of a row; `gaia-train experiments` lists them.", metavar="NAME", show_default=False),
    ],
    dataset: DatasetArgument,
    run: RunOption,
    *,
    vae: OptionalVaeRunOption = None,
    preset: PresetOption = "recommended",
    config: ConfigOption = None,
    overrides: SetOption = None,
    device: DeviceOption = None,
    dry_run: DryRunOption = False,
    accept_changes: AcceptChangesOption = False,
    allow_pickled_checkpoint: AllowPickledOption = False,
    wait: WaitOption = False,
) -> None:
    """Train the network of one row of the paper's tables on that row's data; does not evaluate it."""
    with exit_codes():
        from training import train_experiment

        result = train_experiment(
            name,
            dataset,
            run,
            vae=vae,
            preset=preset,
            config_file=config,
            overrides=overrides or (),
            device=device,
            dry_run=dry_run,
            accept_changes=accept_changes,
            allow_pickled_checkpoint=allow_pickled_checkpoint,
            wait=wait,
        )
        _print(result)


app.command()(experiments)

app.command()(params)

app.command()(settings)

app.command()(evaluate)

app.command()(rating_sheet)

app.command()(rating_table)


def _print(result: "TrainingResult") -> None:
    """Print the report of a run, once for all its processes, and end with the code of Ctrl-C where that stopped it."""
    if result.rank == 0:
        typer.echo(str(result))
    if result.stopped_by == signal.SIGINT:
        # after SIGTERM the code is 0: a cluster that takes a machine back has lost nothing
        raise typer.Exit(EXIT_INTERRUPTED)


def main() -> None:
    """Run the command line; the entry point of the package."""
    run_program("gaia-train", app)
