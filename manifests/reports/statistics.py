"""Statistics of a dataset, like Table 1 of the GAIA paper: speakers and hours, raw and kept, and losses by reason."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from foundation.json_text import json_text
from foundation.text import TimeUnit, count_text, text_table, time_unit
from manifests.files.tables import read_table
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.packing.unmeasured import unmeasured_ticks_of
from manifests.reports.explain_measured import ELSEWHERE
from manifests.reports.sync_statistics import VIDEO_COLUMNS, SyncRow, sync_rows, sync_text
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import FAILED_STATUSES, OUTCOMES, TIERS

__all__ = ["DropRow", "SourceRow", "Statistics", "VideoRow", "statistics"]


_NOT_RENDERED = "Clips are counted where they are rendered, which `gaia-curate decide` does with --render alone."


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRow:
    """Row of the paper's Table 1. Only `videos` and `duplicates` count duplicates."""

    source: str
    videos: int
    """Files, failed ones included."""
    failed: int
    duplicates: int
    unknown_speaker_videos: int
    """Files without a speaker id; they add nothing to `speakers_raw` and `speakers_kept`."""
    speakers_raw: int
    speakers_kept: int
    """Speakers with kept seconds in any tier."""
    raw_s: float
    kept_s: dict[str, float]
    """Seconds per tier; `vae` includes what is kept in `diffusion`."""
    clips: int
    """Rendered clips of all tiers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DropRow:
    """Loss of one tier to one rule."""

    tier: str
    outcome: str
    seconds: float
    share: float
    """Share of the seconds of the tier's spans, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoRow:
    """Result of one file."""

    path: str
    status: str
    """ok, duplicate, excluded, or the error code of a file that failed; of a copy, that of its original."""
    duration_s: float | None
    kept_s: dict[str, float]
    biggest_drop: str | None
    """Outcome with the most seconds in tier diffusion, apart from kept, trimmed and not_asked."""
    biggest_drop_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """All statistics of a dataset."""

    sources: tuple[SourceRow, ...]
    total: SourceRow
    drops: tuple[DropRow, ...]
    """Per tier, the largest first."""
    videos: tuple[VideoRow, ...]
    sync: tuple[SyncRow, ...] = ()
    """Per source in which lips and sound were judged."""
    unmeasured_s: float = 0.0
    """Seconds of which at most every fifth tick was measured, because no clip can lie there."""
    asked_s: float = 0.0
    """Seconds of all curated videos that were asked for, and not trimmed."""

    def json(self) -> str:
        """Return all statistics as JSON; durations in seconds."""
        return json_text(asdict(self), indent=2)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return tables for people to read."""
        unit = time_unit(self.total.raw_s)
        sync = [sync_text(self.sync, unit)] if self.sync else []
        measured = [self._measured_text()] if self.unmeasured_s else []
        return "\n\n".join([self._sources_text(unit), self._drops_text(unit), *measured, *sync, self._videos_text()])

    def _measured_text(self) -> str:
        share = 1.0 - self.unmeasured_s / self.asked_s
        return f"Measured on every tick: {share:.0%} of what was asked for. {ELSEWHERE}"

    def _sources_text(self, unit: TimeUnit) -> str:
        header = ["source", "videos", "failed", "dupl.", "IDs raw", f"{unit.name} raw", "IDs kept"]
        header += [f"{unit.name} kept, {tier}" for tier in TIERS] + ["clips"]
        rows = [
            [row.source, f"{row.videos:,}", f"{row.failed:,}", f"{row.duplicates:,}", _ids(row, row.speakers_raw)]
            + [unit.text(row.raw_s), _ids(row, row.speakers_kept)]
            + [unit.text(row.kept_s[tier]) for tier in TIERS]
            + [f"{row.clips:,}"]
            for row in (*self.sources, self.total)
        ]
        notes = "What came in and what is kept (tier vae includes the diffusion clips; duplicates count once"
        if self.total.unknown_speaker_videos:
            notes += f"; {count_text(self.total.unknown_speaker_videos, 'video names', 'videos name')} no speaker"
        table = text_table(header, rows, numeric=[False, *[True] * (len(header) - 1)])
        unrendered = not self.total.clips and any(self.total.kept_s.values())
        return f"{notes}):\n{table}" + (f"\n{_NOT_RENDERED}" if unrendered else "")

    def _drops_text(self, unit: TimeUnit) -> str:
        rows = [[row.tier, row.outcome, unit.text(row.seconds), f"{row.share:.1%}"] for row in self.drops]
        table = text_table(["tier", "dropped as", unit.name, "share"], rows, numeric=[False, False, True, True])
        return f"Why seconds were dropped:\n{table if rows else 'nothing was dropped'}"

    def _videos_text(self) -> str:
        unit = time_unit(max((row.duration_s or 0.0 for row in self.videos), default=0.0))
        header = ["video", "status", unit.name, *(f"{unit.name} kept, {tier}" for tier in TIERS)]
        header.append("biggest loss, diffusion")
        rows = [
            [row.path, row.status, "-" if row.duration_s is None else unit.text(row.duration_s)]
            + [unit.text(row.kept_s[tier]) for tier in TIERS]
            + ["-" if row.biggest_drop is None else f"{row.biggest_drop} ({unit.text(row.biggest_drop_s)} {unit.name})"]
            for row in self.videos
        ]
        return f"Every video:\n{text_table(header, rows, numeric=[False, False, True, True, True, False])}"


@dataclass(frozen=True, slots=True)
class _Video:
    video_id: str
    source: str
    path: str
    speaker_id: str | None
    duration_s: float | None
    status: str
    error_code: str | None
    n_clips: int
    duplicate_of: str | None


_NO_LOSS = ("kept", "trimmed", "not_asked")
"""Outcomes that are no loss to a rule."""

_Seconds = dict[str, dict[str, float]]
"""Seconds by tier and outcome."""


def statistics(dataset: Path) -> Statistics:
    """Count speakers and seconds per source, reason and video; kept and dropped seconds come from the spans.

    Raises:
        DatasetError: a table cannot be read.
        ChangingDatasetError: a command has begun to remove what is counted.
    """
    return in_one_state(dataset, lambda counted: _counted(dataset, counted))


def _counted(dataset: Path, counted: Counted) -> Statistics:
    columns = list(_Video.__dataclass_fields__)
    videos = [_Video(**row) for row in read_table(dataset, "videos", columns).to_pylist()]
    videos.sort(key=lambda video: (video.source, video.path))
    spans = read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "outcome", "sync", "sync_reason"])
    spans = counted_rows(spans, counted)
    moved = counted_rows(read_table(dataset, "clips", ["video_id", "sound_moved_s"]), counted)
    seconds = _seconds_per_video(spans)
    unmeasured = unmeasured_ticks_of(dataset)
    by_source = defaultdict(list)
    for video in videos:
        by_source[video.source].append(video)
    return Statistics(
        sources=tuple(_source_row(source, rows, seconds) for source, rows in by_source.items()),
        total=_source_row("total", videos, seconds),
        drops=tuple(_drop_rows(seconds.values())),
        videos=tuple(_video_row(video, seconds) for video in videos),
        sync=sync_rows(read_table(dataset, "videos", VIDEO_COLUMNS), spans, moved),
        unmeasured_s=float(sum(n for video_id, n in unmeasured.items() if video_id in seconds) / TICK_RATE_HZ),
        asked_s=sum(
            value for tiers in seconds.values() for outcome, value in tiers[TIERS[0]].items() if outcome != "trimmed"
        ),
    )


def _seconds_per_video(spans: pa.Table) -> dict[str, _Seconds]:
    spans = spans.append_column("seconds", pc.subtract(spans["end_s"], spans["start_s"]))
    sums = spans.group_by(["video_id", "tier", "outcome"]).aggregate([("seconds", "sum")])
    seconds: dict[str, _Seconds] = {}
    for row in sums.to_pylist():
        tiers = seconds.setdefault(row["video_id"], {tier: {} for tier in TIERS})
        tiers[row["tier"]][row["outcome"]] = row["seconds_sum"]
    return seconds


def _kept(video: _Video, seconds: dict[str, _Seconds]) -> dict[str, float]:
    tiers = {} if video.duplicate_of is not None else seconds.get(video.video_id, {})
    return {tier: tiers.get(tier, {}).get("kept", 0.0) for tier in TIERS}


def _source_row(source: str, videos: list[_Video], seconds: dict[str, _Seconds]) -> SourceRow:
    originals = [video for video in videos if video.duplicate_of is None]
    kept = [_kept(video, seconds) for video in originals]
    # speaker ids are unique within a source only: two corpora may both have an id0001
    speakers = {(video.source, video.speaker_id) for video in originals if video.speaker_id is not None}
    speakers_kept = {
        (video.source, video.speaker_id)
        for video, tiers in zip(originals, kept, strict=True)
        if video.speaker_id is not None and any(tiers.values())
    }
    return SourceRow(
        source=source,
        videos=len(videos),
        failed=sum(video.status in FAILED_STATUSES for video in videos),
        duplicates=len(videos) - len(originals),
        unknown_speaker_videos=sum(video.speaker_id is None for video in originals),
        speakers_raw=len(speakers),
        speakers_kept=len(speakers_kept),
        raw_s=sum(video.duration_s or 0.0 for video in originals),
        kept_s={tier: sum(tiers[tier] for tiers in kept) for tier in TIERS},
        clips=sum(video.n_clips for video in originals),
    )


def _drop_rows(videos: Iterable[_Seconds]) -> list[DropRow]:
    sums: _Seconds = {tier: dict.fromkeys(OUTCOMES, 0.0) for tier in TIERS}
    for tiers in videos:
        for tier, outcomes in tiers.items():
            for outcome, value in outcomes.items():
                sums[tier][outcome] = sums[tier].get(outcome, 0.0) + value  # a rule may be the user's own
    return [
        DropRow(tier=tier, outcome=outcome, seconds=value, share=value / sum(sums[tier].values()))
        for tier in TIERS
        for outcome, value in sorted(sums[tier].items(), key=lambda item: -item[1])
        if outcome != "kept" and value > 0.0
    ]


def _status_text(video: _Video) -> str:
    if video.status != "ok":
        return video.error_code or video.status
    return "ok" if video.duplicate_of is None else "duplicate"


def _video_row(video: _Video, seconds: dict[str, _Seconds]) -> VideoRow:
    duplicate = video.duplicate_of is not None
    tiers = {} if duplicate else seconds.get(video.video_id, {})
    lost = {outcome: value for outcome, value in tiers.get("diffusion", {}).items() if outcome not in _NO_LOSS}
    biggest = max(lost, key=lambda outcome: lost[outcome], default=None)
    return VideoRow(
        path=video.path,
        status=_status_text(video),
        duration_s=video.duration_s,
        kept_s=_kept(video, seconds),
        biggest_drop=biggest,
        biggest_drop_s=lost[biggest] if biggest is not None else 0.0,
    )


def _ids(row: SourceRow, count: int) -> str:
    """Return a number of speakers; "-" if no video of the row has a speaker id."""
    return "-" if row.speakers_raw == 0 and row.unknown_speaker_videos else f"{count:,}"
