"""The command `gaia-curate`: parses, calls one library function, prints the result, returns an exit code."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

import curation
from curation.cli.card import card
from curation.cli.dataset_tools import export, merge, split, subset
from curation.cli.differences import diff
from curation.cli.forgetting import forget
from curation.cli.instructions import instructions
from curation.cli.lip_sync import sync_app
from curation.cli.models import models_app
from curation.cli.options import (
    ChangeOptions,
    DatasetArgument,
    ExclusionOptions,
    OutOption,
    ScratchOptions,
    SettingsOptions,
    SourceOptions,
    WaitOption,
    WorkerOptions,
    exit_codes,
)
from curation.cli.review import calibrate, label_sheet, report
from curation.cli.settings import settings
from curation.cli.stats import stats
from curation.cli.what_if import what_if
from foundation.command_line import with_option_groups
from foundation.errors import EXIT_CANNOT_START, EXIT_INTERRUPTED, EXIT_PROBLEMS
from foundation.program_end import run_program
from foundation.text import count_text, shown

__all__ = ["app", "main"]

app = typer.Typer(
    help="Turn raw videos of people talking into audited training data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
@with_option_groups
def run(
    sources: SourceOptions,
    out: OutOption,
    exclusions: ExclusionOptions,
    settings: SettingsOptions,
    workers: WorkerOptions,
    wait: WaitOption = False,
) -> None:
    """Curate videos into a dataset; the same command again resumes where it stopped.

    `gaia-curate settings` lists the settings: what each decides, its unit, its limits.
    """
    with exit_codes():
        from curation.cli.progress import run_progress
        from curation.cli.summary import run_summary

        with run_progress() as (progress, ctrl_c):
            report = curation.run(
                sources.source,
                out,
                settings.load,
                workers.make_executor(),
                layout=sources.layout,
                exclusions=curation.read_exclusions(exclusions.exclude_speakers, exclusions.exclude_videos),
                limit=sources.limit,
                watcher=progress,
                ctrl_c=ctrl_c,
                wait=wait,
            )
        typer.echo(run_summary(report))
    if report.left:
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.failed or report.discovery.unreadable_folders:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
@with_option_groups
def plan(
    sources: SourceOptions,
    out: OutOption,
    settings: SettingsOptions,
    workers: WorkerOptions,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the videos to sample; at least 5 are.")
    ] = 0.02,
    seed: Annotated[int, typer.Option(help="Seed of the sample; another seed picks other videos.")] = 0,
) -> None:
    """Process a few of the videos and forecast what `run` with the same options would take; writes nothing."""
    with exit_codes():
        forecast = curation.plan(
            sources.source,
            out,
            settings.load,
            workers.make_executor(),
            layout=sources.layout,
            limit=sources.limit,
            sampling=curation.Sampling(share=share, seed=seed),
            say=lambda line: typer.echo(shown(line), err=True),
        )
        typer.echo(forecast.text())


@app.command()
@with_option_groups
def retry(
    dataset: DatasetArgument,
    workers: WorkerOptions,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All videos that failed or are quarantined.")] = False,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="Only those with this error code; may be repeated.")
    ] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", help="Only this one: its id, path or name; may be repeated.")
    ] = None,
    wait: WaitOption = False,
) -> None:
    """Curate failed or quarantined videos again, with the dataset's own settings."""
    with exit_codes():
        from curation.cli.progress import run_progress
        from curation.cli.summary import retry_summary

        if not (failed or codes or videos):
            raise typer.BadParameter("say which: --failed, --code or --video")
        with run_progress() as (progress, ctrl_c):
            report = curation.retry(
                dataset,
                workers.make_executor(),
                codes=codes or [],
                videos=videos or [],
                watcher=progress,
                ctrl_c=ctrl_c,
                wait=wait,
            )
        typer.echo(retry_summary(report))
    if ctrl_c.requested():
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.failed:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
@with_option_groups
def decide(
    dataset: DatasetArgument,
    out: OutOption,
    changes: ChangeOptions,
    scratch: ScratchOptions,
    *,
    render: Annotated[bool, typer.Option("--render", help="Also render the clips from the source videos.")] = False,
    wait: WaitOption = False,
) -> None:
    """Apply other rules to the evidence of a dataset; no perception model runs."""
    with exit_codes():
        from curation.cli.summary import statistics_text

        decided = curation.redecide(
            dataset,
            out,
            changes.config,
            changes.overrides or [],
            render=render,
            scratch=scratch.scratch_settings(),
            wait=wait,
        )
        typer.echo(statistics_text(decided))


app.command(name="what-if")(what_if)


app.command()(diff)


app.command()(forget)


@app.command()
def duplicates(
    dataset: DatasetArgument,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    wait: WaitOption = False,
) -> None:
    """Find near-duplicate videos, re-encoded, cropped, re-timed or mirrored, and keep them on one side of the split."""
    with exit_codes():
        found = curation.find_duplicates(dataset, wait=wait)
        typer.echo(found.json() if json else found.text())


@app.command()
@with_option_groups
def identities(
    dataset: DatasetArgument,
    *,
    links: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file of faces that are one person (must) or are not (cannot)."),
    ] = None,
    voices: Annotated[
        str, typer.Option(metavar="MODEL", help="Compare voices, too: campplus, a registered voice model, or none.")
    ] = "none",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the search for similar faces.")] = 2,
    wait: WaitOption = False,
) -> None:
    """Find out who is who: group the faces of all videos into persons, whom the clips then name."""
    with exit_codes():
        typer.echo(curation.find_identities(dataset, links=links, voices=voices, threads=threads, wait=wait).text())


@app.command()
def explain(
    dataset: DatasetArgument,
    video: Annotated[str, typer.Argument(help="Video id, path or file name.", show_default=False)],
    time_s: Annotated[float | None, typer.Argument(help="Second of the video; without it, all spans.")] = None,
) -> None:
    """Explain why a second of a video was kept or dropped."""
    with exit_codes():
        from manifests import Dataset

        typer.echo(Dataset(dataset).explain(video, time_s).text())


@app.command()
def validate(dataset: DatasetArgument, *, wait: WaitOption = False) -> None:
    """Check a dataset: checksums, schema, sums of seconds, and that every clip decodes and matches its arrays."""
    with exit_codes():
        from manifests import Dataset

        data = Dataset(dataset)
        problems = data.validate(wait=wait)
    for problem in problems:
        typer.echo(shown(str(problem)))
    typer.echo(shown(f"{data.path}: {count_text(len(problems), 'problem')}" if problems else f"{data.path}: valid"))
    if problems:
        raise typer.Exit(EXIT_PROBLEMS)


for _command in (instructions, stats, card, merge, subset, split, export, report, label_sheet, calibrate):
    app.command()(_command)

app.command()(settings)

app.add_typer(models_app, name="models")

app.add_typer(sync_app, name="sync")


@app.command()
def doctor() -> None:
    """List the components of each preset: found or missing, version or path, device, licence."""
    report = curation.doctor()
    typer.echo(report.text())
    if not report.usable:
        raise typer.Exit(EXIT_CANNOT_START)


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name whose bytes are no Unicode must not stop the message that quotes it; stderr does this unasked.
        sys.stdout.reconfigure(errors="backslashreplace")
    run_program("gaia-curate", app)
