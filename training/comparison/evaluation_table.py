"""The table of results: what was measured of each system, in a form for programs and for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from foundation.json_text import json_text
from training.comparison.table_columns import COLUMNS, TABLES, TableName

__all__ = ["EvaluationTable", "PairedTest", "Score", "SystemResult", "VideoScores"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A figure of a system with its 95 % interval over videos."""

    value: float
    low: float | None
    """None where one video gives no interval."""
    high: float | None
    n_videos: int
    """Videos that have the figure."""
    n_frames_left_out: int = 0
    """Frames of these videos that could not be measured, such as those without a face."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemResult:
    """One row of the table."""

    system: str
    n_videos: int
    """Videos that were measured."""
    n_frames: int
    """Frames that were compared with the truth."""
    scores: Mapping[str, Score]
    """By column; a column without a figure is absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """One system less another, on the videos of both."""

    first: str
    second: str
    column: str
    n_videos: int
    difference: float
    low: float
    high: float
    p: float
    """Of a test by changes of sign, two-sided."""
    p_adjusted: float
    """For all tests of the table, by Holm's method."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoScores:
    """Figures of one video of one system."""

    system: str
    video: str
    n_frames: int
    scores: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationTable:
    """Result of `evaluate_outputs`; its `str` is a report for people."""

    table: TableName
    """Which columns count."""
    systems: tuple[SystemResult, ...]
    """In the paper's order of rows; those that it does not have follow in the order given."""
    truth: SystemResult
    """The true videos by the columns that need no other truth, such as Sync-D."""
    unavailable: Mapping[str, str]
    """Columns that could not be computed, each with the reason."""
    tests: tuple[PairedTest, ...]
    """Each two systems in each column."""
    videos: tuple[VideoScores, ...]
    """Figures of single videos."""
    notes: tuple[str, ...]
    """What was left out or changed, a sentence each."""
    landmarks: str | None
    """Face finder and numbering of AKD, MSI and LMD; None where there was none."""
    folder: Path | None
    """Of the files that were written."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Keys of all columns of the table, in the paper's order first."""
        return TABLES[self.table].all

    def score(self, system: str, column: str) -> Score | None:
        """Return a figure of a system; None where it has none.

        Raises:
            KeyError: there is no such system or column.
        """
        if column not in COLUMNS:
            raise KeyError(column)
        return {row.system: row for row in self.systems}[system].scores.get(column)

    def __str__(self) -> str:
        """Return the tables, what is missing and why, and the paper's own figures."""
        from training.comparison.result_text import report_text  # it imports this module

        return report_text(self)

    def json(self) -> str:
        """Return all figures as JSON, those that are not finite as null."""
        return json_text({"format": "gaia-evaluation", "version": 1, **asdict(self)}, indent=1)
