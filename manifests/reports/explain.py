"""Explanation of why a second of a video was kept or dropped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.storage.path_text import path_of_text, plain_path, text_of_path
from foundation.text import clock_text, shown, text_table
from manifests.errors import DatasetError
from manifests.files.tables import read_table, table_files
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.record import DatasetRecord, read_dataset
from manifests.reports.explain_measured import REACH_TICKS, evidence_text, measured_text, ranges_s, shown_row
from manifests.reports.explain_sync import curve_text, outcome_text, pooled_text
from manifests.reports.explained_span import ExplainedSpan
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.sync_curve import LAGS, SyncCurve, SyncSums
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS

__all__ = ["ExplainedSpan", "Explanation", "TierExplanation", "explain", "find_video"]

_EVIDENCE = tuple(
    column.name for column in FRAMES.columns if column.name not in ("video_id", "other_faces", "sync_scores")
)

_POOLED = ("sync_z", "sync_offset_ticks", "sync_ticks")


@dataclass(frozen=True, kw_only=True, slots=True)
class TierExplanation:
    """Spans of a video in one tier."""

    tier: str
    spans: tuple[ExplainedSpan, ...]
    """All spans of the video, in order."""
    span_of_second: int | None
    """Number of the span that holds the second of the question; None without one."""
    curve: SyncCurve | None = None
    """Agreement of lips and sound in that span; None where it was not compared there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The answer to a question about a video."""

    path: str
    video_id: str
    status: str
    duplicate_of: str | None
    error: str | None
    """Code and sentence where the video failed; the rest is empty then."""
    time_s: float | None
    tiers: tuple[TierExplanation, ...]
    evidence: dict[str, object]
    """The row of `frames` of the tick of the question; where that was not measured, of the grid tick before it."""
    sync: str | None = None
    """What was found of lips and sound over all of the video, in words; None where they were not compared."""
    generated_tags: tuple[str, ...] | None = None
    """What the file says of how it was made, as in `videos`; None where that was not read."""
    measured_s: tuple[tuple[float, float], ...] | None = None
    """Ranges of the video of which every tick was measured, seconds; None where all of it was."""

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return the explanation for people to read."""
        paragraphs = [shown(f"{self.path} ({self.video_id}): {self.status}")]
        if self.duplicate_of is not None:
            paragraphs[0] += shown(f", the same content as {self.duplicate_of}, whose answer this is")
        if self.error is not None:
            paragraphs.append(shown(f"The video was not curated: {self.error}"))
        if self.generated_tags:
            paragraphs.append(f"The file says of how it was made: {', '.join(self.generated_tags)}.")
        if self.sync is not None:
            paragraphs.append(f"Lips and sound: {self.sync}.")
        paragraphs += [
            _timeline_text(tier) if tier.span_of_second is None else _second_text(tier, tier.span_of_second)
            for tier in self.tiers
        ]
        if self.evidence and self.time_s is not None:
            paragraphs.append(evidence_text(_tick(self.time_s), self.evidence))
        elif self.measured_s is not None:
            paragraphs.append(measured_text(self.measured_s))
        return shown("\n\n".join(paragraphs), several_lines=True)


def explain(dataset: Path, video: str, time_s: float | None = None) -> Explanation:
    """Explain why a video, or its second `time_s`, was kept or dropped.

    Args:
        video: a video id, a path as it stands in `videos`, or a file name that only one video has.
        time_s: seconds after the first video frame; None explains all of the video.

    Raises:
        DatasetError: `dataset` is no dataset, no video or several match, or the time lies outside the video.
        ChangingDatasetError: a command has begun to remove what is explained.
    """
    return in_one_state(dataset, lambda counted: _explained(dataset, video, time_s, counted))


def _explained(dataset: Path, video: str, time_s: float | None, counted: Counted) -> Explanation:
    record = read_dataset(dataset)
    row = find_video(dataset, video)
    rows = counted_rows(read_table(dataset, "spans"), counted).to_pylist()
    spans = [span for span in rows if span["video_id"] == row["video_id"]]
    spans.sort(key=lambda span: span["start_s"])
    error = None
    if row["status"] != "ok":
        error = ": ".join(text for text in (row["error_code"], row["error_detail"]) if text) or row["status"]
    if time_s is not None and spans and not 0.0 <= time_s < spans[-1]["end_s"]:
        raise DatasetError(f"{row['path']} has no second {time_s}; give a time from 0 to {spans[-1]['end_s']}")
    moved = _sounds_moved(dataset, row["video_id"], spans)
    return Explanation(
        path=row["path"],
        video_id=row["video_id"],
        status=row["status"],
        duplicate_of=row["duplicate_of"],
        error=error,
        time_s=time_s,
        tiers=tuple(
            _with_curve(dataset, row["video_id"], _tier(tier, spans, time_s, record, moved)) for tier in TIERS if spans
        ),
        evidence=_evidence(dataset, row["video_id"], _tick(time_s)) if time_s is not None and spans else {},
        sync=None if row["sync_z"] is None else pooled_text(*(row[name] for name in _POOLED)),
        generated_tags=None if row["generated_tags"] is None else tuple(row["generated_tags"]),
        measured_s=_measured_s(dataset, row["video_id"]),
    )


_Row = dict[str, Any]


def find_video(dataset: Path, video: str) -> _Row:
    """Return the row of `videos` of the one video that has this id, path or file name; of duplicates, the analysed one.

    Raises:
        DatasetError: no video or several match.
    """
    columns = ["video_id", "path", "status", "error_code", "error_detail", "duplicate_of", "duration_s"]
    columns += ["generated_tags", *_POOLED]
    rows: list[_Row] = read_table(dataset, "videos", columns).to_pylist()
    as_path = {video, text_of_path(Path(video)), text_of_path(Path(video).absolute())}
    found = [row for row in rows if row["path"] in as_path]
    if not found:
        found = [row for row in rows if row["video_id"] == video and row["duplicate_of"] is None]
    if not found:
        found = [row for row in rows if plain_path(path_of_text(row["path"])).name == video]
    if not found:
        if not rows:
            raise DatasetError(f"{dataset} has no video {video!r}, nor any other: no run has ended yet")
        some = ", ".join(plain_path(path_of_text(row["path"])).name for row in rows[:5])
        raise DatasetError(f"{dataset} has no video {video!r}; give a video id, a path or a file name, such as {some}")
    if len(found) > 1:
        paths = ", ".join(row["path"] for row in found)
        raise DatasetError(f"{len(found)} videos of {dataset} are called {video!r}; give one of the paths {paths}")
    return found[0]


def _tier(
    tier: str, spans: list[dict[str, Any]], time_s: float | None, record: DatasetRecord, moved: Mapping[str, float]
) -> TierExplanation:
    names = ("start_s", "end_s", "outcome", "value", "limit", "clip_id", "sync", "sync_reason")
    own = tuple(
        ExplainedSpan(
            failed=tuple(span["failed"]),
            rule=record.rule(span["outcome"]),
            sound_moved_s=moved.get(span["clip_id"]),
            on_grid=bool(span["on_grid"]),
            **{name: span[name] for name in names},
        )
        for span in spans
        if span["tier"] == tier
    )
    holding = [i for i, span in enumerate(own) if time_s is not None and span.start_s <= time_s < span.end_s]
    return TierExplanation(tier=tier, spans=own, span_of_second=holding[0] if holding else None)


def _sounds_moved(dataset: Path, video_id: str, spans: list[dict[str, Any]]) -> dict[str, float]:
    """Return by clip the time by which its sound was moved, where it was."""
    if not any(span["clip_id"] for span in spans):
        return {}
    rows = _rows(dataset, CLIPS, ["clip_id", "sound_moved_s"], pc.field("video_id") == video_id)
    return {row["clip_id"]: row["sound_moved_s"] for row in rows if row["sound_moved_s"] is not None}


def _with_curve(dataset: Path, video_id: str, tier: TierExplanation) -> TierExplanation:
    """Return the explanation of a tier with the curve of the span that holds the second of the question."""
    span = None if tier.span_of_second is None else tier.spans[tier.span_of_second]
    if span is None or span.sync is None:
        return tier
    tick, of_video = pc.field("tick"), pc.field("video_id") == video_id
    within = of_video & (tick >= _tick(span.start_s)) & (tick < _tick(span.end_s))
    rows = [row["sync_scores"] for row in _rows(dataset, FRAMES, ["sync_scores"], within)]
    scores = np.array([row for row in rows if row is not None], dtype=np.float32).reshape(-1, len(LAGS))
    return replace(tier, curve=SyncSums.of(scores).curve())


def _tick(time_s: float) -> int:
    # 1.16 is tick 29, but 1.16 * 25 is a little less than 29 in floating point
    return math.floor(round(time_s * float(TICK_RATE_HZ), 6))


def _evidence(dataset: Path, video_id: str, tick: int) -> dict[str, object]:
    field = pc.field("tick")
    near = (pc.field("video_id") == video_id) & (field > tick - REACH_TICKS) & (field <= tick)
    return shown_row(sorted(_rows(dataset, FRAMES, _EVIDENCE, near), key=lambda row: row["tick"]))


def _measured_s(dataset: Path, video_id: str) -> tuple[tuple[float, float], ...] | None:
    rows = _rows(dataset, FRAMES, ["tick", "measured"], pc.field("video_id") == video_id)
    if all(row["measured"] is not False for row in rows):
        return None
    return ranges_s(sorted(row["tick"] for row in rows if row["measured"]))


def _rows(dataset: Path, table: Table, columns: Sequence[str], chosen: pc.Expression) -> list[_Row]:
    from manifests.files.scans import arrow_rows

    try:
        files = arrow_rows(table_files(dataset, table.name), table.arrow_schema())
        rows: list[_Row] = files.to_table(columns=list(columns), filter=chosen).to_pylist()
    except (pa.ArrowException, ValueError, OSError) as error:
        raise DatasetError(f"{dataset}: table {table.name} cannot be read: {error}; run the curation again") from error
    return rows


def _timeline_text(tier: TierExplanation) -> str:
    rows = [
        [clock_text(span.start_s), clock_text(span.end_s), span.outcome, span.reason, ", ".join(span.failed)]
        for span in tier.spans
    ]
    table = text_table(["from", "to", "outcome", "why", "all rules failed"], rows, numeric=[True, True, *[False] * 3])
    return f"Tier {tier.tier}:\n{table}"


def _second_text(tier: TierExplanation, number: int) -> str:
    span = tier.spans[number]
    verb = {"kept": "kept", "not_asked": "not asked for"}.get(span.outcome, f"dropped as {span.outcome}")
    lines = [f"Tier {tier.tier}: {verb}, {clock_text(span.start_s)} to {clock_text(span.end_s)}: {span.reason}"]
    if tier.curve is not None:
        outcome = outcome_text(str(span.sync), span.sync_reason)
        lines.append(f"  lips and sound: {outcome}; {curve_text(tier.curve)}".replace("\n", "\n  "))
    if span.failed:
        lines.append(f"  all rules failed in the span: {', '.join(span.failed)}")
    for name, neighbour in (("before", number - 1), ("after", number + 1)):
        if 0 <= neighbour < len(tier.spans):
            other = tier.spans[neighbour]
            times = f"{clock_text(other.start_s)} to {clock_text(other.end_s)}"
            lines.append(f"  {name}: {other.outcome}, {times}: {other.reason}")
    return "\n".join(lines)
