"""The command `gaia-curate diff`: what one dataset keeps and another does not."""

from typing import Annotated

import typer

import curation
from curation.cli.options import ChangeOptions, exit_codes
from foundation.command_line import with_option_groups
from foundation.text import shown

__all__ = ["diff"]

FirstArgument = Annotated[
    str, typer.Argument(help="Folder of a dataset, or its address.", show_default=False, metavar="FIRST")
]

SecondArgument = Annotated[
    str | None,
    typer.Argument(
        help="Another dataset; without it, the first as it would be with --set or --config.",
        show_default=False,
        metavar="[SECOND]",
    ),
]


@with_option_groups
def diff(
    first: FirstArgument,
    changes: ChangeOptions,
    second: SecondArgument = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every change of every video.")] = False,
) -> None:
    """Print what entered and what left between two datasets, or between two settings of one, and why."""
    with exit_codes():
        found = curation.compare(first, second, changes.config, changes.overrides or [])
        typer.echo(found.json() if json else shown(found.text(), several_lines=True))
