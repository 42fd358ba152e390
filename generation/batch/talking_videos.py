"""Generation of the videos of a list: the library function of `gaia-generate --list`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from foundation.devices import resolve_device, torch_device
from foundation.errors import EXIT_PROBLEMS
from foundation.text import count_text
from foundation.weights import ensure_assets
from generation.batch.job_facts import JobFacts, changes, is_whole
from generation.batch.job_list import JobListError, ListedJob, TextOptions, read_jobs
from generation.batch.job_maker import JobOutcome
from generation.batch.job_pool import made_here, made_on_ray
from generation.batch.made_table import MadeRow, MadeTable
from generation.content_credentials import signing_of
from generation.pose_track import PoseChoice
from generation.prepared import needed_assets, require_suited
from generation.request import GenerationJob, MotionOptions, face_number
from generation.trained_run import GenerationError, TrainedRun, load_run
from models.sampling.guidance import GUIDANCE
from models.sampling.samplers import SamplerName

__all__ = ["BatchResult", "talking_videos"]

_MOST_WORKERS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResult:
    """What became of the jobs of a list; `str` of it is a report for people."""

    manifest: Path
    """Parquet file with a row for each job."""
    n_made: int = 0
    """Videos that this command made."""
    n_kept: int = 0
    """Videos that were there already, made by the same inputs and settings."""
    failed: tuple[str, ...] = ()
    """A line for each job that could not be made: its line in the list, its video and why."""
    to_make: tuple[str, ...] = ()
    """After a dry run, a line for each job that would be made; nothing was."""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 1 where a job failed."""
        return EXIT_PROBLEMS if self.failed else 0

    def __str__(self) -> str:
        """Return the report."""
        kept = f"{count_text(self.n_kept, 'video')} there already"
        if self.to_make:
            return "\n".join([*self.to_make, f"{count_text(len(self.to_make), 'video')} to make, {kept}"])
        done = f"{count_text(self.n_made, 'video')} made, {kept}, {count_text(len(self.failed), 'job')} failed"
        return "\n".join([*self.failed, f"{done}; manifest: {self.manifest}"])


def _untold(_line: str) -> None:
    pass


def talking_videos(
    run: str | Path,
    jobs: str | Path,
    *,
    manifest: str | Path | None = None,
    workers: int = 1,
    text_encoder: str | None = None,
    seconds: float = 4.0,
    pose: str | Path = "predict",
    pose_amplitude: float = 1.0,
    pose_offset: str = "",
    sampler: SamplerName = "dpmpp_2m",
    steps: int | None = None,
    guidance: float | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    face: int | str | None = None,
    keep_background: bool = False,
    credentials: tuple[str | Path, str | Path] | None = None,
    no_mark: str | None = None,
    device: str = "auto",
    dry_run: bool = False,
    told: Callable[[str], None] = _untold,
) -> BatchResult:
    """Make the videos of a list with models that are loaded once; what an earlier command has made of it is kept.

    A job that fails does not end the others. A job is made again where its file is gone or altered, or where its
    inputs, its settings or the run have changed.

    Args:
        run: folder of a training run, as for `talking_video`.
        jobs: CSV with the columns portrait, speech, driving, text, pose, out and seed.
        manifest: Parquet file with what became of each job, a row each; None: beside the list, named after it.
        workers: processes that make videos; above 1 on Ray, on this machine.
        text_encoder: of jobs with a text, as for `talking_video`.
        seconds: likewise.
        pose: of jobs whose row names none, as are `seed` and, of all jobs, the other options of `talking_video`.
        pose_amplitude: likewise.
        pose_offset: likewise.
        sampler: likewise.
        steps: likewise.
        guidance: likewise.
        temperature: likewise.
        seed: likewise.
        face: likewise.
        keep_background: likewise.
        credentials: likewise.
        no_mark: likewise.
        device: likewise.
        dry_run: check list, run and weights, and return what would be made; nothing is written.
        told: gets a line about each job as soon as it has ended.

    Raises:
        JobListError: the list cannot be used; nothing was made.
        GenerationError: the run or an option cannot be used, or the run cannot make one of the jobs.
        ManifestError: the manifest cannot be read.
        CannotStartError: weights or Ray are missing, or another command makes this list.
        OSError: a file cannot be written; the manifest has what was made before.
    """
    listing = Path(jobs)
    if not 1 <= workers <= _MOST_WORKERS:
        raise GenerationError(f"--workers is {workers}; give 1 to {_MOST_WORKERS}")
    spoken, instructed = GUIDANCE["speech"].speech, GUIDANCE["text"].text
    common = GenerationJob(
        run=Path(run),
        portrait=listing,
        out=Path("any.mp4"),
        speech=listing,
        motion=MotionOptions(
            sampler=sampler,
            steps=steps,
            guidance=spoken if guidance is None else guidance,
            temperature=temperature,
        ),
        pose=PoseChoice(source=str(pose), amplitude=pose_amplitude, offset=pose_offset),
        seed=seed,
        face=face_number(face),
        keep_background=keep_background,
        credentials=None if credentials is None else (Path(credentials[0]), Path(credentials[1])),
        no_mark=no_mark,
        device=device,
    )
    signing_of(common.credentials)
    of_text = TextOptions(encoder=text_encoder, seconds=seconds, guidance=instructed if guidance is None else guidance)
    listed = read_jobs(listing, common, of_text)
    # with a pool, each of its workers has the networks; here their settings are looked at
    loaded = load_run(common.run, torch_device(resolve_device(device if workers == 1 else "cpu")))
    _require_suited(listing, listed, loaded)
    ensure_assets(sorted({name for one in listed for name in needed_assets(one.job, loaded.curation)}))
    facts = JobFacts(common.run, loaded.label)
    planned = {one.line: facts.planned(one) for one in listed}
    path = listing.with_suffix(".made.parquet") if manifest is None else Path(manifest)
    if dry_run:
        rows = MadeTable.read(path)
        why = {line: _why(row, rows.get(row.out)) for line, row in planned.items()}
        lines = tuple(f"line {line}: {planned[line].out}: {reason}" for line, reason in why.items() if reason)
        return BatchResult(manifest=path, n_kept=len(listed) - len(lines), to_make=lines)
    with MadeTable(path) as table:
        left = [one for one in listed if _why(planned[one.line], table.rows.get(planned[one.line].out))]
        table.place({row.out: row.line for row in planned.values()})
        pooled = workers > 1 and len(left) > 0
        outcomes = made_on_ray(left, common.run, device, workers) if pooled else made_here(left, loaded)
        failed = dict[int, str]()
        for number, (one, outcome) in enumerate(outcomes, start=1):
            row = _ended(planned[one.line], outcome)
            table.add(row)
            told(f"{number} of {len(left)}: {_ended_text(row)}")
            if row.status == "failed":
                failed[one.line] = f"line {one.line}: {row.out}: {row.error_code}: {row.error}"
    return BatchResult(
        manifest=path,
        n_made=len(left) - len(failed),
        n_kept=len(listed) - len(left),
        failed=tuple(failed[line] for line in sorted(failed)),
    )


def _require_suited(listing: Path, listed: Sequence[ListedJob], run: TrainedRun) -> None:
    """Refuse jobs that a run cannot make."""
    for one in listed:
        try:
            require_suited(run, one.job)
        except GenerationError as error:
            raise JobListError(f"{listing}:{one.line}: {error}") from error


def _why(planned: MadeRow, made: MadeRow | None) -> str:
    """Return why a job is to be made; empty: it was made, and is as it was."""
    if made is None:
        return "new"
    if made.status == "failed":
        return "failed before"
    if changed := changes(planned, made):
        return f"changed: {', '.join(changed)}"
    return "" if is_whole(made) else "its file is gone or altered"


def _ended(planned: MadeRow, outcome: JobOutcome) -> MadeRow:
    return replace(planned, status="made" if outcome.error_code is None else "failed", **asdict(outcome))


def _ended_text(row: MadeRow) -> str:
    what = f"{row.n_frames} frames" if row.status == "made" else f"{row.error_code}: {row.error}"
    return f"{row.out}: {what}, {row.seconds or 0.0:.1f} s"
