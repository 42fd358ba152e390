"""Command that brings in what the people in a dataset's videos were asked to do: `gaia-curate instructions`."""

from typing import Annotated

import typer

from curation.cli.options import DatasetArgument, WaitOption, exit_codes

__all__ = ["instructions"]


def instructions(
    dataset: DatasetArgument,
    instructions: Annotated[
        str,
        typer.Argument(
            help="List with the columns path, start_s, end_s and text, in any form of a list of videos.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    *,
    least_share: Annotated[
        float, typer.Option(help="Share of a clip that an instruction has to cover; 1: the clip lies inside of it.")
    ] = 0.5,
    wait: WaitOption = False,
) -> None:
    """Bring in what people were asked to do, such as "please smile", for models that text drives."""
    with exit_codes():
        from curation.dataset_tools.instructed_clips import write_instructions

        typer.echo(write_instructions(dataset, instructions, least_share=least_share, wait=wait).text())
