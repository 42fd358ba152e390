"""Make one job with a run that is loaded, and say what became of it, whatever that is."""

import errno
import time
from collections.abc import Iterable
from dataclasses import dataclass

from foundation.array_types import RgbImage
from foundation.errors import CannotStartError, GaiaError, UsageError
from foundation.storage.digest import file_sha256
from foundation.storage.staged import remove_unfinished
from generation.content_credentials import signing_of
from generation.job import made_videos
from generation.request import GenerationJob
from generation.trained_run import TrainedRun

__all__ = ["JobOutcome", "outcome_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOutcome:
    """What became of a job."""

    seconds: float
    error_code: str | None = None
    """None: the video was made."""
    error: str | None = None
    out_sha256: str | None = None
    out_bytes: int | None = None
    n_frames: int | None = None
    note: str | None = None


def outcome_of(job: GenerationJob, run: TrainedRun) -> JobOutcome:
    """Make the video of a job; its error, if any, is in what is returned.

    Args:
        job: with one video.
        run: that of the job.

    Raises:
        CannotStartError: no other job can be made either, such as for want of weights.
        OSError: the disk is full; likewise.
    """
    run.measuring.load(
        speech=job.speech is not None, videos=job.driving is not None or job.pose.kind == "video"
    )  # at the first job; what fails in that fails for all
    started = time.perf_counter()
    try:
        remove_unfinished(job.out)  # of a command that was killed
        result = made_videos(job, run, signing_of(job.credentials), dry_run=False, progress=_unseen)
        return JobOutcome(
            seconds=time.perf_counter() - started,
            out_sha256=file_sha256(job.out),
            out_bytes=job.out.stat().st_size,
            n_frames=result.n_frames,
            note="; ".join(result.notes) or None,
        )
    except CannotStartError:
        raise
    except Exception as error:  # one job must not end the others
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return JobOutcome(seconds=time.perf_counter() - started, error_code=_code(error), error=_message(error))


def _unseen(frames: Iterable[RgbImage], _n_frames: int) -> Iterable[RgbImage]:
    return frames


def _code(error: Exception) -> str:
    match error:
        case UsageError():
            return "unusable_input"
        case MemoryError():
            return "out_of_memory"
        case OSError():
            return "file_error"
        case _:
            return "internal_error"


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, GaiaError) else f"{type(error).__name__}: {error}"
