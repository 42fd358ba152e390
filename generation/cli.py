"""The command `gaia-generate`: parses, calls one library function, prints what it returns, ends with an exit code."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from foundation.command_line import exit_codes as end_with_exit_code

__all__ = ["app", "generate", "main"]

exit_codes = partial(end_with_exit_code, "gaia-generate", files="the video", kept="nothing was written")
"""Context of the command: turns errors that a user can correct into one line and an exit code."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def generate(
    run: Annotated[Path, typer.Option(help="Folder that `gaia-train` wrote.", show_default=False)],
    portrait: Annotated[Path, typer.Option(help="Image of a person.", show_default=False)],
    out: Annotated[Path, typer.Option(help="MP4 file to write.", show_default=False)],
    *,
    speech: Annotated[Path | None, typer.Option(help="Audio file with the speech of the portrait.")] = None,
    driving: Annotated[Path | None, typer.Option(help="Video with the face motion that the portrait follows.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the motion; one seed, one video.")] = 0,
    face: Annotated[
        int | None, typer.Option(min=1, help="Which face of the portrait, from 1 for the widest on.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:K.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do not.")] = False,
) -> None:
    """Make a talking video of a portrait, from speech or after another video."""
    with exit_codes():
        from generation import talking_video

        result = talking_video(
            run,
            portrait=portrait,
            out=out,
            speech=speech,
            driving=driving,
            seed=seed,
            face=face,
            device=device,
            dry_run=dry_run,
        )
        typer.echo(str(result))


def main() -> None:
    """Run the command line; the entry point of the package."""
    app()
