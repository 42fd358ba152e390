"""The commands `gaia-train experiments` and `gaia-train params`: print tables of what can be trained."""

import json
from typing import Annotated

import typer

__all__ = ["experiments", "params"]


def experiments() -> None:
    """List the rows of the paper's tables that `gaia-train experiment` trains, and what they differ in."""
    from training.experiments.experiment import as_text

    typer.echo(as_text())


def params(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON objects in place of a table.")] = False,
) -> None:
    """Print how many parameters each network has at each size, with the paper's counts."""
    from training.experiments import parameters

    rows = parameters.parameter_rows()
    typer.echo(json.dumps(parameters.as_json(rows), indent=2) if as_json else parameters.as_text(rows))
