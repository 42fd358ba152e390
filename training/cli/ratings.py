"""The commands `gaia-train rating-sheet` and `rating-table`: have people rate videos, and see what they said."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from training.cli.options import exit_codes

__all__ = ["rating_sheet", "rating_table"]


def rating_sheet(
    outputs: Annotated[
        list[str],
        typer.Option(
            "--outputs",
            metavar="[NAME=]FOLDER",
            help="Videos of a system; once for each. Matched by name, whatever their suffixes.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="HTML file to write; its key lies beside it.", dir_okay=False)
    ] = Path("ratings.html"),
    videos: Annotated[
        int | None, typer.Option(min=1, help="Draw this many videos; by default all.", show_default=False)
    ] = None,
    per_rater: Annotated[
        int | None,
        typer.Option(min=1, help="Videos for each rater, each of all systems; by default all.", show_default=False),
    ] = None,
    media: Annotated[
        Literal["embed", "link"],
        typer.Option(help="Videos in the page (embed, up to 100 MB), or in a folder beside it (link)."),
    ] = "embed",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws and of the raters' orders.")] = 0,
) -> None:
    """Write one HTML page, which opens offline, for rating videos by the paper's five criteria, one at a time."""
    with exit_codes():
        from training import write_rating_sheet

        typer.echo(str(write_rating_sheet(outputs, out, videos=videos, per_rater=per_rater, media=media, seed=seed)))


def rating_table(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="File `.key.json` beside the sheet.", show_default=False)],
    ratings: Annotated[
        list[Path],
        typer.Argument(metavar="RATINGS...", help="Files that raters saved, or folders of them.", show_default=False),
    ],
    *,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals and tests.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Print mean opinion scores with intervals, how far the raters agree, and paired tests between systems."""
    with exit_codes():
        from training import rating_table as table_of

        table = table_of(key, ratings, seed=seed)
        typer.echo(table.json() if as_json else str(table))
