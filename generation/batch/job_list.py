"""Read a list of jobs: CSV with one video a row; all that is wrong with it is told before the first video is made."""

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import numpy as np

from foundation.errors import UsageError
from foundation.storage.regular_files import open_regular
from generation.pose_expression import PoseFormulaError, formula_angles
from generation.pose_track import PoseChoice
from generation.request import GenerationJob, MotionOptions
from generation.trained_run import GenerationError
from manifests.timeline import TICK_RATE_HZ

__all__ = ["COLUMNS", "JobListError", "ListedJob", "TextOptions", "files_of", "read_jobs"]

COLUMNS = ("portrait", "speech", "driving", "text", "pose", "out", "seed")
"""Columns of a list, in any order; `portrait` and `out` must be there."""

_REQUIRED = ("portrait", "out")

_LARGEST_BYTES = 64 << 20
"""Some 300,000 jobs."""

_TOLD = 20
"""Problems that are told, of more."""


class JobListError(UsageError):
    """A list of jobs cannot be used; the message has a line for each problem."""

    several_lines = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedJob:
    """A row of a list."""

    line: int
    """Of the file, counted from 1, at which the row ends."""
    job: GenerationJob


@dataclass(slots=True)
class _Problems:
    """What is wrong with a list."""

    path: Path
    told: list[str] = field(default_factory=list)

    def add(self, line: int, problem: str) -> None:
        """Add a problem of a line."""
        self.told.append(f"{self.path}:{line}: {problem}")

    def raise_if_any(self) -> None:
        """Raise the problems.

        Raises:
            JobListError: there are some.
        """
        if not self.told:
            return
        more = [f"and {len(self.told) - _TOLD} more"] if len(self.told) > _TOLD else []
        raise JobListError("\n".join(["nothing was made, for the list cannot be used:", *self.told[:_TOLD], *more]))


@dataclass(frozen=True, kw_only=True, slots=True)
class TextOptions:
    """What all jobs that text drives share."""

    encoder: str | None = None
    """Folder or name of the text encoder; None: looked for by the name that the run recorded."""
    seconds: float
    """Length of their videos."""
    guidance: float
    """Weight of the text."""


def read_jobs(path: Path, common: GenerationJob, text: TextOptions) -> tuple[ListedJob, ...]:
    """Return the jobs of a list, in its order.

    Args:
        path: CSV in UTF-8 with a row of names. Files are named absolutely or relative to it.
        common: what all jobs share: run, options of sampling, face; and seed and pose of rows that name none. Its
            portrait, speech and out are not looked at.
        text: likewise, of rows with a text.

    Raises:
        JobListError: it cannot be read, has other columns, no row, or rows that cannot be made or that contradict each
            other.
    """
    path = path.absolute()
    problems = _Problems(path)
    jobs = []
    for line, cells in _rows(path, problems):
        try:
            jobs.append(ListedJob(line=line, job=_job(path, cells, common, text)))
        except GenerationError as error:
            problems.add(line, str(error))
    for listed in jobs:
        _find_missing(listed, problems)
    _find_contradictions(jobs, problems)
    problems.raise_if_any()
    if not jobs:
        raise JobListError(f"{path}: lists no job; give a row for each video below the names of the columns")
    return tuple(jobs)


def _rows(path: Path, problems: _Problems) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield line and cells by column of each row that is not empty."""
    try:
        with open_regular(path) as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise JobListError(f"{path}: is larger than {_LARGEST_BYTES >> 20} MiB; cut it into several lists")
        rows = csv.reader(StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = [name.strip() for name in next(rows, [])]
        _require_columns(path, names)
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) == len(names):
                yield rows.line_num, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            else:
                problems.add(rows.line_num, f"has {len(cells)} cells, but there are {len(names)} columns")
    except (UnicodeDecodeError, csv.Error) as error:
        raise JobListError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    except OSError as error:
        raise JobListError(f"{path}: cannot be read: {error}") from error


def _require_columns(path: Path, names: list[str]) -> None:
    known = f"give {', '.join(COLUMNS)}, of which {' and '.join(_REQUIRED)} must be there"
    for name in names:
        if name not in COLUMNS:
            raise JobListError(f"{path}:1: column {name!r:.100} is unknown; {known}")
        if names.count(name) > 1:
            raise JobListError(f"{path}:1: there are {names.count(name)} columns {name!r}; {known}")
    for name in _REQUIRED:
        if name not in names:
            raise JobListError(f"{path}:1: there is no column {name!r}; {known}")


def _job(path: Path, cells: Mapping[str, str], common: GenerationJob, of_text: TextOptions) -> GenerationJob:
    """Return the job of a row.

    Raises:
        GenerationError: it cannot be made.
    """
    for name in _REQUIRED:
        if not cells[name]:
            raise GenerationError(f"the column {name!r} is empty")
    speech, driving = (path.parent / cells[name] if cells.get(name) else None for name in ("speech", "driving"))
    files = replace(common, portrait=path.parent / cells["portrait"], out=path.parent / cells["out"])
    if text := " ".join(cells.get("text", "").split()):
        return _text_job(files, text, cells, of_text)
    if driving is None:
        seed = _seed(cells.get("seed", ""), common.seed)
        return replace(files, speech=speech, pose=_pose(path, cells.get("pose", ""), common.pose), seed=seed)
    for name in ("speech", "pose", "seed"):
        if cells.get(name):
            raise GenerationError(f"it has both driving and {name}; a driving video brings its own motion and sound")
    return replace(files, speech=None, driving=driving, motion=MotionOptions(), pose=PoseChoice())


def _text_job(files: GenerationJob, text: str, cells: Mapping[str, str], options: TextOptions) -> GenerationJob:
    for name in ("speech", "driving", "pose"):
        if cells.get(name):
            raise GenerationError(f"it has both text and {name}; one of them drives a portrait")
    return replace(
        files,
        speech=None,
        text=text,
        text_encoder=options.encoder,
        seconds=options.seconds,
        motion=replace(files.motion, guidance=options.guidance),
        pose=PoseChoice(),
        seed=_seed(cells.get("seed", ""), files.seed),
    )


def _seed(cell: str, common: int) -> int:
    if not cell:
        return common
    if not (cell.isascii() and cell.isdigit() and len(cell) < 19):
        raise GenerationError(f"seed is {cell!r:.60}; give a whole number from 0 to 999999999999999999")
    return int(cell)


def _pose(path: Path, cell: str, common: PoseChoice) -> PoseChoice:
    """Return the poses of a cell, with the amplitude and offset of all jobs where it asks for any."""
    if not cell:
        return common
    file = path.parent / cell
    is_file = cell not in ("predict", "still") and ("=" not in cell or file.exists())
    choice = PoseChoice(source=str(file) if is_file else cell)
    if choice.kind == "formula":
        try:
            formula_angles(choice.source, np.arange(5) / float(TICK_RATE_HZ))
        except PoseFormulaError as error:
            raise GenerationError(f'pose "{cell:.200}": {error}') from error
    if choice.kind == "predict":
        return choice
    return replace(choice, amplitude=common.amplitude, offset=common.offset)


def files_of(job: GenerationJob) -> Iterator[tuple[str, Path]]:
    """Yield column and path of each file that a job reads."""
    if job.portrait is not None:
        yield "portrait", job.portrait
    if job.speech is not None:
        yield "speech", job.speech
    if job.driving is not None:
        yield "driving", job.driving
    if job.pose.kind in ("table", "video"):
        yield "pose", Path(job.pose.source)


def _find_missing(listed: ListedJob, problems: _Problems) -> None:
    """Find files that are not there, and results whose name a folder has."""
    for column, path in files_of(listed.job):
        if not path.is_file():
            what = "is no file" if path.exists() else "does not exist"
            problems.add(listed.line, f"{column} {path} {what}")
    if listed.job.out.is_dir():
        problems.add(listed.line, f"out {listed.job.out} is a folder; give the name of a file")


def _find_contradictions(jobs: list[ListedJob], problems: _Problems) -> None:
    """Find two jobs of one file, and files that one job makes and another one reads."""
    made: dict[str, int] = {}
    for listed in jobs:
        out = os.path.realpath(listed.job.out)
        if out in made:
            problems.add(listed.line, f"out {listed.job.out} is that of line {made[out]} too; give each its own")
        made.setdefault(out, listed.line)
    for listed in jobs:
        for column, path in files_of(listed.job):
            maker = made.get(os.path.realpath(path))
            if maker is not None:
                problems.add(
                    listed.line, f"{column} {path} is what line {maker} makes; make it first, by a list of its own"
                )
