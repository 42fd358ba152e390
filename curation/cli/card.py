"""The command `gaia-curate card`."""

import typer

from curation.cli.options import DatasetArgument, WaitOption, exit_codes

__all__ = ["card"]


def card(dataset: DatasetArgument, *, wait: WaitOption = False) -> None:
    """Write README.md and croissant.json, with which others open the dataset and learn what it is."""
    with exit_codes():
        from curation.dataset_tools.describe import write_card

        typer.echo(write_card(dataset, wait=wait).text())
