"""The command `gaia-curate what-if`: what other limits would keep."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import curation
from curation.cli.options import ChangeOptions, DatasetArgument, exit_codes
from foundation.command_line import with_option_groups
from foundation.storage.private_folder import cache_folder_of
from foundation.text import shown

__all__ = ["what_if"]

VaryOption = Annotated[
    list[str],
    typer.Option(
        "--vary",
        metavar="NAME=FIRST:LAST:STEP",
        help="Setting to vary, or NAME=VALUE,VALUE; given twice, the two make a grid.",
        show_default=False,
    ),
]

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also draw a picture: .png, .svg or .pdf.")
]


@with_option_groups
def what_if(
    dataset: DatasetArgument,
    vary: VaryOption,
    changes: ChangeOptions,
    *,
    plot: PlotOption = None,
    chart: Annotated[bool, typer.Option("--chart", help="Also draw bars in the terminal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor keep what is prepared of the videos.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one core each.", show_default="all cores")] = len(
        os.sched_getaffinity(0)
    ),
) -> None:
    """Count what `decide` would keep with many values of a setting; changes nothing, and runs no model.

    The first call prepares all videos; later ones that vary the same settings are much faster.
    The hours, clips and speakers are exactly those of `gaia-curate decide --render` with each value. Hours and
    speakers of tier vae include those of tier diffusion; its clips are those that vae has beside them.
    """
    with exit_codes():
        from curation.cli.progress import told_on_terminal
        from curation.what_if.kept_charts import bars, require_picture, write_chart

        if plot is not None:
            require_picture(plot)

        cache = None if no_cache else cache_folder_of("what-if")
        told = told_on_terminal("counted")
        found = curation.vary(
            dataset, vary, changes.config, changes.overrides or [], workers=workers, cache=cache, on_progress=told
        )
        typer.echo(found.json() if json else shown(found.text(), several_lines=True))
        if chart and not json:
            colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            typer.echo(f"\n{bars(found, shutil.get_terminal_size().columns, colour=colour)}")
        if plot is not None:
            write_chart(found, plot)
            typer.echo(shown(f"picture: {plot}"), err=True)
