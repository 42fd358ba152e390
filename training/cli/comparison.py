"""The command `gaia-train evaluate`: measure result videos against the true ones, as one of the paper's tables."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from training.cli.options import exit_codes

__all__ = ["evaluate"]


def evaluate(
    outputs: Annotated[
        list[str],
        typer.Option(
            "--outputs",
            metavar="[NAME=]FOLDER",
            help="Result videos of a system; once for each. Matched to the truth by name, whatever their suffixes.",
            show_default=False,
        ),
    ],
    truth: Annotated[
        Path,
        typer.Option(
            "--truth", metavar="FOLDER", help="True videos; for reenactment, the driving ones.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for table.json, table.tex and table.html; an earlier evaluation there is replaced.",
            show_default=False,
        ),
    ],
    *,
    table: Annotated[
        Literal["reconstruction", "reenactment", "speech"],
        typer.Option(help="Which columns count: those of Table 2, on the left or on the right, or of Table 3."),
    ] = "reconstruction",
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Pictures or videos of the person whom each result shows, matched likewise.",
            show_default=False,
        ),
    ] = None,
    faces: Annotated[
        str,
        typer.Option(metavar="NAME", help="Face finder of the data's landmarks, `perception.faces` of gaia-curate."),
    ] = "mediapipe",
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Features by content; by default in the user's cache.", show_default=False),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=32, max=4096, help="Width to scale all pictures to; by default that of the truth.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Of the metrics' networks: auto, cpu, cuda or cuda:K.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals and tests.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure result videos of systems against the true videos, and write the paper's table of them."""
    with exit_codes():
        from training import evaluate_outputs

        result = evaluate_outputs(
            outputs,
            truth,
            out,
            table=table,
            reference=reference,
            faces=faces,
            cache=cache,
            size_px=size,
            device=device,
            seed=seed,
            progress=_show_progress,
        )
        typer.echo(result.json() if as_json else str(result))


def _show_progress(n_done: int, n_all: int) -> None:
    """Show how far it is, where a person looks on."""
    if sys.stderr.isatty():
        typer.echo(f"\r{n_done} of {n_all} videos", err=True, nl=n_done == n_all)
