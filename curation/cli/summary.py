"""Summary at the end of a run: statistics, failed videos, ignored files."""

from collections.abc import Sequence

from curation.operations.retry import RetryReport
from curation.operations.run import RunReport
from curation.output.ledger import VideoRecord
from curation.sources.left_alone import left_alone_text
from foundation.text import count_text, duration_text, shown
from manifests.dataset import Dataset
from manifests.packing.one_state import ChangingDatasetError

__all__ = ["retry_summary", "run_summary", "statistics_text"]

_N_SLOWEST = 5
"""Videos that are named as slow."""


def run_summary(report: RunReport) -> str:
    """Return the statistics of the dataset and the notes on the run."""
    lines = []
    if report.already_done:
        lines.append(f"{count_text(report.already_done, 'video')} had been done by an earlier run.")
    if report.discovery.ignored_files:
        ignored = count_text(report.discovery.ignored_files, "file was", "files were")
        lines.append(f"{ignored} ignored, for want of a video's suffix.")
    lines += [left_alone_text(report.discovery.left_alone)] if report.discovery.left_alone else []
    lines += report.notes
    if report.excluded:
        excluded = count_text(report.excluded, "file was", "files were")
        lines.append(f"{excluded} left out, as the lists ask; `videos` says `excluded`.")
    if report.without_consent:
        lines.append(
            f"{count_text(report.without_consent, 'file was', 'files were')} left out: no consent is recorded; "
            "`videos` says `no_consent`."
        )
    lines += _slowest(report.curated)
    lines += [f"folder not readable: {problem}" for problem in report.discovery.unreadable_folders]
    ends = _ends(report.dataset, report.failed)
    if report.left:
        ends.append(
            f"Ended by Ctrl-C: {count_text(report.left, 'video is', 'videos are')} left; the same command goes on."
        )
    return "\n".join([statistics_text(report.dataset), "", *map(shown, (*lines, *ends))])


def retry_summary(report: RetryReport) -> str:
    """Return the statistics of the dataset and which of the videos that were tried again are still not ok."""
    n_ok = len(report.records) - len(report.failed)
    result = f"{n_ok} of {count_text(len(report.records), 'video')} ok now."
    ends = map(shown, _ends(report.dataset, report.failed))
    return "\n".join([statistics_text(report.dataset), "", result, *ends])


def statistics_text(dataset: Dataset) -> str:
    """Return the statistics of a dataset that a command has written, or that the next one has begun to change it."""
    try:
        return dataset.statistics().text()
    except ChangingDatasetError as error:
        return f"no statistics: {error}"


def _slowest(curated: Sequence[VideoRecord]) -> list[str]:
    """Return a line for each of the videos with the longest work per second of video."""
    paces = [
        (record, record.requested_s / spent_s)
        for record in curated
        if (spent_s := _spent_s(record)) and record.requested_s
    ]
    slowest = sorted(paces, key=lambda pace: pace[1])[:_N_SLOWEST]
    return [
        f"slow: {record.path}: {pace:.1f} times real time, {duration_text(_spent_s(record))} for "
        f"{duration_text(record.requested_s)}"
        for record, pace in slowest
    ]


def _spent_s(record: VideoRecord) -> float:
    """Return the work on a video, seconds of one worker."""
    return record.analyze_s + record.decide_s + record.render_s


def _ends(dataset: Dataset, failed: Sequence[VideoRecord]) -> list[str]:
    return [*(f"{r.status}: {r.path}: {r.error_code}: {r.error_detail}" for r in failed), f"dataset: {dataset.path}"]
