"""The commands `gaia-train experiments` and `gaia-train params`: print tables of what can be trained."""

from typing import Annotated

import typer

from foundation.json_text import json_text

__all__ = ["experiments", "params"]


def experiments() -> None:
    """List the rows of the paper's tables, how their networks and data differ, and what is trained."""
    from training.experiments.experiment import as_text

    typer.echo(as_text())


def params(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON objects instead of a table.")] = False,
) -> None:
    """Print the number of parameters of each network at each size, next to the paper's."""
    from training.experiments import parameters

    rows = parameters.parameter_rows()
    typer.echo(json_text(parameters.as_json(rows), indent=2) if as_json else parameters.as_text(rows))
