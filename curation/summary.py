"""What is printed at the end of a run: the statistics, what failed, what was left alone."""

from pathlib import Path

from curation.run import RunReport
from manifests.statistics import statistics

__all__ = ["run_summary"]


def run_summary(dataset: Path, report: RunReport) -> str:
    """Return the statistics of the dataset and what a user should know of the run."""
    lines = [statistics(dataset).text(), ""]
    if report.already_done:
        lines.append(f"{report.already_done} videos had been done by an earlier run.")
    if report.discovery.ignored_files:
        lines.append(f"{report.discovery.ignored_files} files are not called like videos and were left alone.")
    lines += [f"folder not readable: {problem}" for problem in report.discovery.unreadable_folders]
    lines += [f"failed: {r.path}: {r.error_code}: {r.error_detail}" for r in report.failed]
    lines.append(f"dataset: {dataset}")
    return "\n".join(lines)
