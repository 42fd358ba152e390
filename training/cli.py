"""The command `gaia-train`: parses, calls one library function, tells what came out, returns an exit code."""

import json
from typing import Annotated

import typer

from training.diffusion_cli import diffusion
from training.latents_cli import latents
from training.vae_cli import vae

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


app.command()(vae)
app.command()(latents)
app.command()(diffusion)


@app.callback()
def _gaia_train() -> None:
    """Train talking avatars on a dataset that `gaia-curate` made."""


@app.command()
def params(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON objects in place of a table.")] = False,
) -> None:
    """Print how many parameters each network has at each size, beside the paper's counts."""
    from training import parameter_table

    rows = parameter_table.parameter_rows()
    typer.echo(json.dumps(parameter_table.as_json(rows), indent=2) if as_json else parameter_table.as_text(rows))


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()
