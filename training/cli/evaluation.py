"""The command `gaia-train evaluate`: measure result videos against the true ones, as the paper's tables.

The videos are those of given folders, or those that a trained run generates first.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from foundation.errors import EXIT_PROBLEMS, UsageError
from foundation.text import count_text
from training.cli.options import exit_codes

__all__ = ["evaluate"]


def evaluate(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder for table.json, table.tex and table.html; with --run, for a folder of each protocol, with its "
            "videos. An earlier evaluation there is replaced, and videos are gone on with.",
            show_default=False,
        ),
    ],
    *,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--outputs",
            metavar="[NAME=]FOLDER",
            help="Result videos of a system; once for each. Matched to the truth by name, whatever their suffixes.",
            show_default=False,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", metavar="FOLDER", help="True videos; for reenactment, the driving ones.", show_default=False
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Run of gaia-train that generates the videos, in place of --outputs and --truth.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="DATASET", help="With --run: the dataset that has the test set.", show_default=False),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="With --run: self_reconstruction, cross_reenactment, speech_driven; paper, which is all three; "
            "talkinghead_1kh, which is all three on listed videos.",
        ),
    ] = "paper",
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --run: clips that drive videos, drawn by their names; by default all.", show_default=False
        ),
    ] = None,
    test_list: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --run: names of the test videos, one a line; by default all.", show_default=False
        ),
    ] = None,
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
    """Measure result videos against the true ones, or those that a run generates, and write the paper's tables."""
    with exit_codes():
        if run is None:
            if not outputs or truth is None:
                raise UsageError("give --outputs and --truth, folders of videos; or --run and --dataset")
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
            return
        _require_run_alone(outputs, truth, reference)
        if dataset is None:
            raise UsageError("--run generates videos of the clips of a dataset; give it with --dataset")
        from training import evaluate_run

        evaluation = evaluate_run(
            run,
            dataset,
            out,
            protocol=protocol,
            limit=limit,
            test_list=test_list,
            cache=cache,
            size_px=size,
            device=device,
            seed=seed,
            on_video=lambda what, n_done, n_all: _show_progress(n_done, n_all, what),
        )
        typer.echo(evaluation.json() if as_json else str(evaluation))
        if evaluation.n_left_out:
            raise typer.Exit(EXIT_PROBLEMS)


def _require_run_alone(outputs: list[str] | None, truth: Path | None, reference: Path | None) -> None:
    given = [name for name, value in (("--outputs", outputs), ("--truth", truth), ("--reference", reference)) if value]
    if given:
        raise UsageError(
            f"{' and '.join(given)} cannot be given with --run, which makes these folders; compare other systems on "
            "its videos in a second call, with --truth OUT/PROTOCOL/truth"
        )


def _show_progress(n_done: int, n_all: int, what: str = "") -> None:
    """Show how far it is, where a person looks on."""
    if sys.stderr.isatty():
        typer.echo(
            f"\r{what}{': ' if what else ''}{n_done} of {count_text(n_all, 'video')}", err=True, nl=n_done == n_all
        )
