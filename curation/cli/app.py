"""The command `gaia-curate`: parses, calls one library function, tells what came out, returns an exit code."""

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from curation.cli.models import models_app
from curation.cli.options import (
    ConfigOption,
    ExcludeSpeakersOption,
    ExcludeVideosOption,
    ExecutorOption,
    GpusOption,
    LayoutOption,
    LimitOption,
    MemoryOption,
    OutOption,
    PresetOption,
    RayAddressOption,
    ScratchGibOption,
    ScratchOption,
    SetOption,
    SourceOption,
    WorkersOption,
    dataset_location,
    executor_of,
    exit_codes,
    scratch_settings,
)
from curation.cli.plan import plan
from curation.cli.settings import settings
from foundation.errors import EXIT_CANNOT_START, EXIT_INTERRUPTED, EXIT_PROBLEMS

__all__ = ["app", "main"]

app = typer.Typer(
    help="Turn raw videos of people talking into audited training data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(models_app, name="models")

app.command()(plan)

app.command()(settings)

DatasetArgument = Annotated[
    Path,
    typer.Argument(
        help="Folder of a dataset, or its address.", show_default=False, parser=dataset_location, metavar="DATASET"
    ),
]


@app.command()
def run(
    source: SourceOption,
    out: OutOption,
    *,
    layout: LayoutOption = "auto",
    preset: PresetOption = "paper",
    config: ConfigOption = None,
    overrides: SetOption = None,
    executor: ExecutorOption = "auto",
    workers: WorkersOption = 1,
    ray_address: RayAddressOption = None,
    gpus_per_worker: GpusOption = 0.0,
    worker_memory_gib: MemoryOption = None,
    scratch: ScratchOption = None,
    scratch_gib: ScratchGibOption = None,
    exclude_speakers: ExcludeSpeakersOption = None,
    exclude_videos: ExcludeVideosOption = None,
    limit: LimitOption = None,
) -> None:
    """Curate videos into a dataset; the same command again goes on where it was stopped."""
    with exit_codes():
        from curation.cli.progress import RunProgress
        from curation.cli.summary import run_summary
        from curation.operations.run import run as run_library
        from curation.settings import PRESETS, load_settings
        from curation.sources.exclusions import read_exclusions
        from foundation.signals import CtrlC

        settings = load_settings(PRESETS[preset], config, overrides or [])
        where = executor_of(
            *(executor, workers, ray_address, gpus_per_worker, worker_memory_gib),
            scratch=scratch,
            scratch_gib=scratch_gib,
        )
        exclusions = read_exclusions(exclude_speakers, exclude_videos)
        with RunProgress(sys.stderr) as progress:
            ctrl_c = CtrlC(progress.say)
            report = run_library(
                *(source, out, settings, where),
                layout=layout,
                exclusions=exclusions,
                limit=limit,
                watcher=progress,
                ctrl_c=ctrl_c,
            )
        typer.echo(run_summary(out, report))
    if report.left:
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.failed or report.discovery.unreadable_folders:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def retry(
    dataset: DatasetArgument,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All videos that failed or are quarantined.")] = False,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="Only those with this error code; may be repeated.")
    ] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", help="Only this one: its id, path or name; may be repeated.")
    ] = None,
    executor: ExecutorOption = "auto",
    workers: WorkersOption = 1,
    ray_address: RayAddressOption = None,
    gpus_per_worker: GpusOption = 0.0,
    worker_memory_gib: MemoryOption = None,
    scratch: ScratchOption = None,
    scratch_gib: ScratchGibOption = None,
) -> None:
    """Curate videos again that failed or were quarantined, with the dataset's own settings."""
    with exit_codes():
        from curation.cli.progress import RunProgress
        from curation.cli.summary import retry_summary
        from curation.operations.retry import error_codes
        from curation.operations.retry import retry as retry_library
        from foundation.signals import CtrlC

        if not (failed or codes or videos):
            raise typer.BadParameter("say which: --failed, --code or --video")
        where = executor_of(
            *(executor, workers, ray_address, gpus_per_worker, worker_memory_gib),
            scratch=scratch,
            scratch_gib=scratch_gib,
        )
        with RunProgress(sys.stderr) as progress:
            ctrl_c = CtrlC(progress.say)
            records = retry_library(
                dataset,
                where,
                codes=error_codes(codes or []),
                videos=videos or [],
                watcher=progress,
                ctrl_c=ctrl_c,
            )
        typer.echo(retry_summary(dataset, records))
    if ctrl_c.asked():
        raise typer.Exit(EXIT_INTERRUPTED)
    if any(record.status != "ok" for record in records):
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def decide(
    dataset: DatasetArgument,
    out: OutOption,
    config: ConfigOption = None,
    overrides: SetOption = None,
    *,
    render: Annotated[bool, typer.Option("--render", help="Also cut the clips out of the sources.")] = False,
    scratch: ScratchOption = None,
    scratch_gib: ScratchGibOption = None,
) -> None:
    """Apply other rules to the evidence of a dataset; no perception model runs."""
    with exit_codes():
        from curation.operations.decide import redecide
        from manifests.reports.statistics import statistics

        redecide(
            *(dataset, out, config, overrides or []), render=render, scratch=scratch_settings(scratch, scratch_gib)
        )
        typer.echo(statistics(out).text())


@app.command()
def forget(
    dataset: DatasetArgument,
    *,
    speaker: Annotated[str | None, typer.Option(help="Id of the person, as in the column speaker_id.")] = None,
    videos: Annotated[
        list[str] | None, typer.Option("--video", help="Id, path or name of a video; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
) -> None:
    """Remove a person, or single videos, from every table, the media and the records, for later runs too."""
    with exit_codes():
        from curation.operations.forget import forget as forget_library

        if speaker is None and not videos:
            raise typer.BadParameter("say who: --speaker or --video")
        typer.echo(forget_library(dataset, speaker=speaker, videos=videos or [], dry_run=dry_run).text())


@app.command()
def explain(
    dataset: DatasetArgument,
    video: Annotated[str, typer.Argument(help="Video id, path or file name.", show_default=False)],
    time_s: Annotated[float | None, typer.Argument(help="Second of the video; without it, all spans.")] = None,
) -> None:
    """Say why a second of a video was kept or dropped."""
    with exit_codes():
        from manifests.reports.explain import explain as explain_library

        typer.echo(explain_library(dataset, video, time_s).text())


@app.command()
def stats(
    dataset: DatasetArgument,
    sql: Annotated[str | None, typer.Option(help="A query over videos, frames, spans, clips and drops.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print speakers and hours, raw and kept, and what was dropped why; or the answer to a query."""
    with exit_codes():
        from manifests.reports.queries import query
        from manifests.reports.statistics import statistics

        answer = query(dataset, sql) if sql is not None else statistics(dataset)
        typer.echo(answer.json() if json else answer.text())


@app.command()
def validate(dataset: DatasetArgument) -> None:
    """Check a dataset: checksums, schema, seconds adding up, every clip decodable, arrays as long as clips."""
    with exit_codes():
        from manifests.reports.validate import validate as validate_library

        problems = validate_library(dataset)
    for problem in problems:
        typer.echo(str(problem))
    typer.echo(f"{dataset}: {len(problems)} problems" if problems else f"{dataset}: valid")
    if problems:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def doctor() -> None:
    """List the components of each preset: found or missing, version or place, device, licence."""
    from curation.operations.doctor import examine

    report = examine()
    typer.echo(report.text())
    if not report.usable:
        raise typer.Exit(EXIT_CANNOT_START)


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name whose bytes are no Unicode must not stop the message that quotes it; stderr does this unasked.
        sys.stdout.reconfigure(errors="backslashreplace")
    app()
