"""The commands `gaia-curate report`, `label-sheet` and `calibrate`: look at what the rules did, and judge it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

import curation
from curation.cli.options import DatasetArgument, exit_codes
from foundation.text import count_text, shown

__all__ = ["calibrate", "label_sheet", "report"]

PageOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="HTML file to write.", dir_okay=False)]


def report(
    dataset: DatasetArgument,
    *,
    out: PageOption = Path("report.html"),
    media: Annotated[
        Literal["none", "embed", "link"],
        typer.Option(help="Clips as videos: in the page (embed, up to 50 MB), or in a folder beside it (link)."),
    ] = "none",
    videos: Annotated[
        int, typer.Option(min=1, help="Look at this many videos tick by tick, at most; of more, at random ones.")
    ] = 200,
    clips: Annotated[int, typer.Option(min=0, help="Show this many clips, at most, likewise.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
) -> None:
    """Write one HTML file that opens offline: what every rule did, on which pictures, how near to its limit."""
    with exit_codes():
        from curation.cli.progress import told_on_terminal

        told = told_on_terminal("looked at")
        page = curation.write_report(dataset, out, media=media, videos=videos, clips=clips, seed=seed, on_progress=told)
        typer.echo(page.text())


def label_sheet(
    dataset: DatasetArgument,
    *,
    out: PageOption = Path("sheet.html"),
    n: Annotated[int, typer.Option("--n", min=1, help="Stretches to draw, up to 1,000.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw: the same one draws the same stretches.")] = 1,
    rules: Annotated[list[str] | None, typer.Option("--rule", help="Draw for this rule only; may be repeated.")] = None,
    media: Annotated[
        Literal["none", "embed"],
        typer.Option(help="Stretches as videos with sound in the page (embed), where the sources are at hand."),
    ] = "none",
    videos: Annotated[int, typer.Option(min=1, help="Draw from this many videos, at most.")] = 500,
) -> None:
    """Write a page of stretches to be labelled right or wrong, drawn by rule and distance to its limit."""
    with exit_codes():
        from curation.cli.progress import told_on_terminal

        told = told_on_terminal("looked at")
        sheet = curation.write_label_sheet(
            dataset, out, n=n, seed=seed, rules=rules or [], media=media, videos=videos, on_progress=told
        )
        typer.echo(sheet.text())


def calibrate(
    dataset: DatasetArgument,
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="JSON file that a page saved.", show_default=False)],
    *,
    precision: Annotated[
        float, typer.Option(help="Wanted share of what a rule drops that deserves it, above 0 and up to 1.")
    ] = 0.95,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="YAML file of the limits, for `decide --config`.", dir_okay=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print precision and recall of each rule by your labels, and the limits that meet a wanted precision."""
    with exit_codes():
        found = curation.calibrate(dataset, labels, precision=precision, out=out)
        typer.echo(found.json() if json else found.text())
        if out is not None and not json:
            changes = count_text(len(found.overrides), "changed limit")
            typer.echo(shown(f"{out}: {changes}, for `gaia-curate decide --config {out}`"))
