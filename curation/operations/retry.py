"""Retry of videos that failed or were quarantined, with the dataset's own settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.decision.trial import require_usable
from curation.engine.execution import Executor, RunWatcher
from curation.operations.work import curate_videos, unchanged_source
from curation.output.curated_video import landmarks_of
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.output.removals import without_removed
from curation.output.sole_writer import sole_writer
from curation.rules.rule import Rule
from curation.sources.entries import SourceError, SourceVideo
from curation.sources.scratch import require_scratch
from foundation.address_text import address_without_secrets
from foundation.signals import CtrlC
from foundation.storage.path_text import path_of_text, plain_path
from manifests.dataset import Dataset
from manifests.vocabulary import ERROR_CODES, FAILED_STATUSES, ErrorCode

__all__ = ["RetryReport", "retry"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryReport:
    """Outcome of another attempt."""

    dataset: Dataset
    """The dataset, open for reading."""
    records: tuple[VideoRecord, ...]
    """New records of the videos that were tried again, by path; as before where the user ended it early."""

    @property
    def failed(self) -> tuple[VideoRecord, ...]:
        """Records of the videos that are still not ok."""
        return tuple(record for record in self.records if record.status != "ok")


def retry(
    dataset: str | Path,
    executor: Executor | None = None,
    *,
    workers: int = 1,
    codes: Sequence[str] = (),
    videos: Sequence[str] = (),
    rules: Sequence[Rule] = (),
    watcher: RunWatcher | None = None,
    ctrl_c: CtrlC | None = None,
    wait: bool = False,
) -> RetryReport:
    """Curate videos again that are not ok.

    Args:
        dataset: made by `run`.
        executor: where the work is done; None: in this process with one worker, on Ray with more.
        workers: number of workers, where `executor` is None.
        codes: only those that failed with one of these error codes; none: with any.
        videos: only those with these ids, names or paths; none: all.
        rules: rules of the user's own, as the dataset was made with them.
        watcher: is informed of the progress.
        ctrl_c: ends it early; videos that were not tried keep their records.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        SourceError: there is nothing to retry, a code is unknown, or a file is gone or has other content now.
        DatasetError: `dataset` is no dataset.
        DatasetFolderError: packages or weights have changed since.
        OtherRulesError: `rules` are not those that the dataset was made with.
        RuleError: one of `rules` cannot be used, or raised on a video.
        LeaseHeldError: another command writes to it, and `wait` is false.
        LeaseLostError: this process was stopped for so long that another command has begun.
        MissingAssetsError: weights are missing and cannot be fetched.
        RayUnavailableError: no cluster could be reached.
        OSError: the dataset cannot be written.
        KeyboardInterrupt: the user ended it at once; the same call resumes it.
    """
    executor = executor or Executor.of_workers(workers)
    chosen_codes = _error_codes(codes)
    with sole_writer(dataset, "gaia-curate retry", wait=wait):
        folder = DatasetFolder.existing(dataset)
        require_usable(rules, landmarks_of(folder.settings))
        rows = folder.rows()
        chosen = [row for row in rows if _is_meant(row, chosen_codes, videos)]
        if not chosen:
            narrowed = " that is asked for" if codes or videos else ""
            raise SourceError(f"{folder.path}: no video{narrowed} has failed or is quarantined; nothing to retry")
        sources = [unchanged_source(record, consequence="nothing was retried") for record in chosen]
        now = {record.video_id: video.video_id for record, video in zip(chosen, sources, strict=True)}
        _require_new(sources, [row.video_id for row in rows if row.video_id not in now])
        sources = without_removed(folder.record.removals, sources)
        require_scratch(sources, executor.scratch)
        folder.resume(rules=rules)
        for record in chosen:
            folder.forget_video(record.video_id)
        for _ in curate_videos(folder, sources, executor, watcher=watcher, ctrl_c=ctrl_c):
            pass  # their records are in the ledger
        ledger = folder.ledger()
        records = [row if row.duplicate_of else ledger.get(now.get(row.video_id, row.video_id), row) for row in rows]
        finished = folder.finish(records)
        retried = {record.video_id for record in chosen} | set(now.values())
        return RetryReport(
            dataset=finished,
            records=tuple(record for record in records if record.video_id in retried and not record.duplicate_of),
        )


def _require_new(videos: Sequence[SourceVideo], others: Sequence[str]) -> None:
    """Leave files to `run` that could not be read before, and now turn out to be copies of another.

    Raises:
        SourceError: there is one.
    """
    taken = set(others)
    for video in videos:
        if video.video_id in taken:
            raise SourceError(
                f"{video.path} could not be read before, and has the content of another video of the dataset: "
                "`gaia-curate run` takes it as the copy that it is; nothing was retried"
            )
        taken.add(video.video_id)


def _error_codes(names: Sequence[str]) -> tuple[ErrorCode, ...]:
    """Return names as error codes.

    Raises:
        SourceError: there is no such code; the message lists those that there are.
    """
    codes = tuple(code for code in ERROR_CODES if code in names)
    unknown = sorted(set(names) - set(codes))
    if unknown:
        raise SourceError(f"--code {', '.join(unknown)}: unknown; known are {', '.join(ERROR_CODES)}")
    return codes


def _is_meant(record: VideoRecord, codes: Sequence[ErrorCode], videos: Sequence[str]) -> bool:
    names = {record.video_id, record.path, plain_path(path_of_text(record.path)).name}
    return (
        (record.status in FAILED_STATUSES or (record.status == "excluded" and "excluded" in codes))
        and record.duplicate_of is None
        and (not codes or record.error_code in codes)
        and (not videos or not names.isdisjoint(map(address_without_secrets, videos)))
    )
