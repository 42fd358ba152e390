"""What a job is made of: hashes of its files and of its run, and its settings. Two jobs alike in all give one video."""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from foundation.packages import DISTRIBUTION
from foundation.storage.digest import file_sha256
from generation.batch.job_list import ListedJob, files_of
from generation.batch.made_table import MadeRow
from generation.request import GenerationJob
from models.run_folder import RunFolder

__all__ = ["JobFacts", "changes", "is_whole"]

_SAME = (
    "portrait_sha256",
    "speech_sha256",
    "driving_sha256",
    "text",
    "pose",
    "pose_sha256",
    "seed",
    "settings",
    "run_sha256",
)
"""Columns that are alike in two makings of the same video; files may have moved meanwhile."""


class JobFacts:
    """Hashes the files of jobs of one run, each file once."""

    def __init__(self, run: Path, label: str) -> None:
        """Hash the run.

        Args:
            run: its folder.
            label: its name and checkpoint.

        Raises:
            OSError: a file cannot be read.
        """
        self._run, self._run_sha256 = label, _run_sha256(RunFolder.of(run))
        self._hashes: dict[Path, str] = {}

    def planned(self, listed: ListedJob) -> MadeRow:
        """Return the row of a job as it is before it is made: all but what came of it.

        Raises:
            OSError: a file cannot be read.
        """
        job, portrait = listed.job, listed.job.portrait
        if portrait is None:
            raise RuntimeError("a job of a list has a portrait")
        hashes = {column: self._sha256(path) for column, path in files_of(job)}
        sampled = job.driving is None
        return MadeRow(
            line=listed.line,
            out=_text(job.out),
            status="failed",
            portrait=_text(portrait),
            portrait_sha256=hashes["portrait"],
            speech=None if job.speech is None else _text(job.speech),
            speech_sha256=hashes.get("speech"),
            driving=None if job.driving is None else _text(job.driving),
            driving_sha256=hashes.get("driving"),
            text=job.text,
            pose=_pose_text(job) if sampled else None,
            pose_sha256=hashes.get("pose"),
            seed=job.seed if sampled else None,
            settings=_settings(job),
            run=self._run,
            run_sha256=self._run_sha256,
            software=f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        )

    def _sha256(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = file_sha256(path)
        return self._hashes[path]


def changes(planned: MadeRow, made: MadeRow) -> list[str]:
    """Return the columns in which a job differs from what was made of it before."""
    return [name.removesuffix("_sha256") for name in _SAME if getattr(planned, name) != getattr(made, name)]


def is_whole(made: MadeRow) -> bool:
    """Return whether a video is as it was written.

    Raises:
        OSError: it cannot be read.
    """
    path = Path(made.out)
    if made.status != "made" or not path.is_file() or path.stat().st_size != made.out_bytes:
        return False
    return file_sha256(path) == made.out_sha256


def _text(path: Path) -> str:
    return str(path.absolute())


def _pose_text(job: GenerationJob) -> str:
    """Return the source of the poses; of a file its name alone, for its content is hashed."""
    return Path(job.pose.source).name if job.pose.kind in ("table", "video") else job.pose.source


def _settings(job: GenerationJob) -> str:
    of_text = {} if job.text is None else {"text_encoder": job.text_encoder, "seconds": job.seconds}
    changed = {"pose_amplitude": job.pose.amplitude, "pose_offset": job.pose.offset}
    shown = {"face": job.face, "keep_background": job.keep_background}
    signed = {} if job.credentials is None else {"certificate_sha256": file_sha256(job.credentials[0])}
    unmarked = {} if job.no_mark is None else {"no_mark": job.no_mark}
    return json.dumps({**asdict(job.motion), **changed, **shown, **of_text, **signed, **unmarked}, allow_nan=False)


def _run_sha256(run: RunFolder) -> str:
    """Return a hash of all files of a run that a video depends on."""
    files = [run.weights(), *(path for path in (run.vae, run.dataset_record, run.run_record) if run.holds(path))]
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()
