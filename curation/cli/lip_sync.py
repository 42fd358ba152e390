"""The command `gaia-curate sync fit`."""

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.options import DatasetArgument, exit_codes
from foundation.text import shown

__all__ = ["sync_app"]

sync_app = typer.Typer(
    help="Comparison of lips with sound: teach it on videos of your own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@sync_app.callback()
def _group() -> None:
    """Keep `fit` a command of its own: typer makes the only command of a group the group."""


@sync_app.command()
def fit(
    dataset: DatasetArgument,
    *,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("sync.safetensors"),
) -> None:
    """Teach the network that compares lips with sound on a dataset; `perception.sync` takes the file.

    Takes the faces in the dataset's evidence and the sound of its sources; ten minutes of speech are enough. Shifted
    and dubbed videos may be among them. Refuses where lips and sound of fewer than half the videos fit.
    """
    with exit_codes():
        from curation.operations.sync_fit import fit_sync

        def say(what: str, done: int, total: int) -> None:
            if done == total or done % max(1, total // 10) == 0:
                typer.echo(f"{what}: {done} of {total}", err=True)

        found = fit_sync(dataset, out, on_progress=say)
    typer.echo(shown(found.text(), several_lines=True))
