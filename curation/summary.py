"""What is printed at the end of a run: the statistics, what failed, what was left alone."""

from collections.abc import Sequence
from pathlib import Path

from curation.ledger import VideoRecord
from curation.run import RunReport
from manifests.statistics import statistics

__all__ = ["retry_summary", "run_summary"]


def run_summary(dataset: Path, report: RunReport) -> str:
    """Return the statistics of the dataset and what a user should know of the run."""
    lines = [statistics(dataset).text(), ""]
    if report.already_done:
        lines.append(f"{report.already_done} videos had been done by an earlier run.")
    if report.discovery.ignored_files:
        lines.append(f"{report.discovery.ignored_files} files are not called like videos and were left alone.")
    lines += [f"folder not readable: {problem}" for problem in report.discovery.unreadable_folders]
    return "\n".join([*lines, *_ends(dataset, report.failed)])


def retry_summary(dataset: Path, records: Sequence[VideoRecord]) -> str:
    """Return the statistics of the dataset and which of the videos that were tried again are still not ok."""
    failed = [record for record in records if record.status != "ok"]
    told = f"{len(records) - len(failed)} of {len(records)} videos are ok now."
    return "\n".join([statistics(dataset).text(), "", told, *_ends(dataset, failed)])


def _ends(dataset: Path, failed: Sequence[VideoRecord]) -> list[str]:
    return [*(f"{r.status}: {r.path}: {r.error_code}: {r.error_detail}" for r in failed), f"dataset: {dataset}"]
