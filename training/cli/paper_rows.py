"""The command `gaia-train experiment`: train and measure rows of the paper's tables."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from foundation.errors import EXIT_INTERRUPTED, UsageError
from training.cli.options import (
    AcceptChangesOption,
    AllowPickledOption,
    ConfigOption,
    DeviceOption,
    DryRunOption,
    OptionalVaeRunOption,
    PresetOption,
    SetOption,
    WaitOption,
    exit_codes,
    print_result,
)
from training.presets import SizeName

__all__ = ["experiment"]


def experiment(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of a row, or of a table such as table6.", metavar="NAME", show_default=False),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Argument(help="Folder of a dataset, or its address.", metavar="DATASET", show_default=False),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--run",
            help="Folder of the runs and figures of all rows, or with --train-only of the one run; gone on with.",
            show_default=False,
        ),
    ] = None,
    *,
    as_list: Annotated[bool, typer.Option("--list", help="List the rows; train nothing.")] = False,
    size: Annotated[
        SizeName | None,
        typer.Option(help="Size of all networks, in place of those of the row.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Measure this many clips of each protocol; by default all.")
    ] = None,
    train_only: Annotated[
        bool, typer.Option("--train-only", help="Train the network of the row alone, into --out; measure nothing.")
    ] = False,
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
    """Train what a row of the paper's tables, or a table, lacks, measure it, and print the figures of its rows."""
    with exit_codes():
        if as_list:
            from training.experiments.experiment import as_text

            typer.echo(as_text())
            return
        if name is None or dataset is None or run is None:
            raise UsageError("give NAME, DATASET and --out FOLDER; `gaia-train experiment --list` lists the rows")
        of_one_network = {
            "--vae": vae is not None,
            "--config": config is not None,
            "--dry-run": dry_run,
            "--accept-changes": accept_changes,
            "--allow-pickled-checkpoint": allow_pickled_checkpoint,
        }
        wrong = [option for option, given in of_one_network.items() if given and not train_only]
        if wrong:
            raise UsageError(f"{', '.join(wrong)}: for one network alone; give --train-only too, or leave it out")
        if not train_only:
            from training import train_and_evaluate

            table = train_and_evaluate(
                name,
                dataset,
                run,
                size=size,
                preset=preset,
                overrides=overrides or (),
                device=device,
                limit=limit,
                wait=wait,
                on_trained=lambda result: typer.echo(str(result)) if result.rank == 0 else None,
            )
            if table.rank == 0:
                typer.echo(str(table))
            if table.stopped_by == signal.SIGINT:
                raise typer.Exit(EXIT_INTERRUPTED)
            return
        from training import train_experiment
        from training.experiments.experiment import load_experiment

        result = train_experiment(
            load_experiment(name, size),
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
        print_result(result)
