"""Statistics of lips and sound per source: seconds by outcome, and by how much the sound is late."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc

from foundation.text import TimeUnit, text_table
from manifests.reports.explain_sync import outcome_text
from manifests.sync_curve import SURE_TICKS, SURE_Z
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import SYNC_OUTCOMES

__all__ = ["VIDEO_COLUMNS", "SyncRow", "sync_rows", "sync_text"]

VIDEO_COLUMNS = ("video_id", "source", "duplicate_of", "sync_z", "sync_offset_ticks", "sync_ticks")
"""Columns of `videos` that are read."""

_MS_PER_TICK = 1000 / float(TICK_RATE_HZ)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncRow:
    """Lips and sound of the videos of a source."""

    source: str
    seconds: dict[str, float]
    """By outcome, seconds that satisfy all other rules of tier `diffusion`."""
    unmeasured_s: dict[str, float]
    """By reason, the seconds that were not measured."""
    n_offsets: int
    """Videos whose offset is sure."""
    offset_ms: tuple[float, float, float] | None
    """Least, median and largest of these offsets, ms by which the sound is late; None without any."""
    n_moved: int
    """Clips whose sound was moved."""


def sync_rows(videos: pa.Table, spans: pa.Table, clips: pa.Table) -> tuple[SyncRow, ...]:
    """Return a row per source with judged stretches, in the order of their names.

    Args:
        videos: with `VIDEO_COLUMNS`.
        spans: with the columns video_id, sync, sync_reason, start_s and end_s.
        clips: with the columns video_id and sound_moved_s.
    """
    originals = [row for row in videos.select(VIDEO_COLUMNS).to_pylist() if row["duplicate_of"] is None]
    source_of = {row["video_id"]: row["source"] for row in originals}
    known = pa.array(list(source_of), pa.string())  # a spoiled dataset may have rows of other videos
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(SYNC_OUTCOMES, 0.0))
    judged = spans.filter(pc.and_(pc.is_valid(spans["sync"]), pc.is_in(spans["video_id"], known)))
    unmeasured: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in judged.select(["video_id", "sync", "sync_reason", "start_s", "end_s"]).to_pylist():
        source, length_s = source_of[row["video_id"]], row["end_s"] - row["start_s"]
        seconds[source][row["sync"]] += length_s
        if row["sync_reason"] is not None:
            unmeasured[source][row["sync_reason"]] += length_s
    offsets: dict[str, list[float]] = defaultdict(list)
    for row in originals:
        measured = None not in (row["sync_z"], row["sync_ticks"], row["sync_offset_ticks"])
        if measured and row["sync_z"] >= SURE_Z and row["sync_ticks"] >= SURE_TICKS:
            offsets[row["source"]].append(row["sync_offset_ticks"] * _MS_PER_TICK)
    moved: dict[str, int] = defaultdict(int)
    has_moved = pc.and_(pc.is_valid(clips["sound_moved_s"]), pc.is_in(clips["video_id"], known))
    for video_id in clips.filter(has_moved)["video_id"].to_pylist():
        moved[source_of[video_id]] += 1
    return tuple(
        SyncRow(
            source=source,
            seconds=seconds[source],
            unmeasured_s=dict(unmeasured[source]),
            n_offsets=len(offsets[source]),
            offset_ms=(min(found), median(found), max(found)) if (found := offsets[source]) else None,
            n_moved=moved[source],
        )
        for source in sorted(seconds)
    )


def sync_text(rows: Sequence[SyncRow], unit: TimeUnit) -> str:
    """Return two tables for people to read: seconds by outcome, and offsets."""
    header = ["source", *(f"{unit.name} {outcome_text(outcome, None)}" for outcome in SYNC_OUTCOMES)]
    outcomes = [[row.source, *(unit.text(row.seconds[outcome]) for outcome in SYNC_OUTCOMES)] for row in rows]
    offsets = [
        [row.source, f"{row.n_offsets:,}", *_offset_cells(row.offset_ms), f"{row.n_moved:,}"]
        for row in rows
        if row.n_offsets or row.n_moved
    ]
    text = "Lips and sound, of what satisfies all other rules of tier diffusion:\n"
    text += text_table(header, outcomes, numeric=[False, *[True] * len(SYNC_OUTCOMES)])
    reasons = [
        [row.source, unit.text(length_s), outcome_text("not_measured", reason)]
        for row in rows
        for reason, length_s in sorted(row.unmeasured_s.items(), key=lambda item: -item[1])
    ]
    if reasons:
        text += f"\n\n{text_table(['source', unit.name, 'why'], reasons, numeric=[False, True, False])}"
    if offsets:
        names = ["source", "videos", "least ms", "median ms", "largest ms", "clips moved"]
        text += f"\n\nHow late the sound is (videos with z of at least {SURE_Z:g} over {SURE_TICKS} ticks or more):\n"
        text += text_table(names, offsets, numeric=[False, *[True] * 5])
    return text


def _offset_cells(offset_ms: tuple[float, float, float] | None) -> list[str]:
    return ["-"] * 3 if offset_ms is None else [f"{value:+.0f}" for value in offset_ms]
