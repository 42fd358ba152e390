"""Writing of a video's files in a dataset: evidence, spans, clips with their media."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from curation.decision.decide import Decision
from curation.evidence.measures import Evidence
from curation.media.probe import VideoInfo
from curation.output.clip_rows import write_clips
from curation.output.frame_rows import frames_table
from curation.output.ledger import VideoRecord
from curation.output.lip_evidence import lip_columns
from curation.output.video_files import VideoFiles
from curation.perception.models import face_landmarks
from curation.rendering.render import RenderedClip
from curation.settings import CurationSettings
from foundation.storage.leases import require_lease
from foundation.storage.staged import StagedFiles
from manifests.files.descriptor_columns import without_descriptors
from manifests.files.tables import write_rows
from manifests.landmarks import LandmarkScheme
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick
from manifests.vocabulary import TIERS, Tier

__all__ = [
    "CuratedVideo",
    "decided_columns",
    "decided_record",
    "kept_seconds",
    "landmarks_of",
    "spans_table",
    "write_decision",
    "write_video_files",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class CuratedVideo:
    """All results of a video that went through every phase in one piece."""

    info: VideoInfo
    evidence: Evidence
    decision: Decision
    clips: tuple[RenderedClip, ...]
    analyze_s: float
    decide_s: float
    render_s: float


def write_video_files(files: VideoFiles, curated: CuratedVideo, settings: CurationSettings) -> VideoRecord:
    """Write a video's files and return its record, which is to be written last.

    No file appears before all are on disk, and the Parquet file that points into the tar appears after the tar: a video
    has all of its files, or none.

    Raises:
        OSError: the dataset cannot be written.
    """
    with StagedFiles() as staged:
        if curated.clips:
            with staged.replacing(files.dataset / files.media) as stream:
                rows = write_clips(stream, files, curated.clips, settings, files.media)
            staged.next_stage()
            _write(staged, files, CLIPS, rows)
        _write_decision(staged, files, curated.evidence, curated.decision, settings)
        require_lease(files.dataset)
    seconds = {"analyze_s": curated.analyze_s, "decide_s": curated.decide_s, "render_s": curated.render_s}
    return decided_record(files, curated.info, curated.decision, seconds, settings)


def write_decision(
    files: VideoFiles,
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
    frames: pa.Table | None = None,
) -> None:
    """Write a video's rows of `frames` and `spans`.

    Args:
        files: of the video.
        evidence: of the complete video.
        decision: made on it.
        settings: name the landmark scheme.
        frames: the rows of `frames`, where they are known already.

    Raises:
        OSError: the dataset cannot be written.
    """
    with StagedFiles() as staged:
        _write_decision(staged, files, evidence, decision, settings, frames)
        require_lease(files.dataset)


def decided_record(
    files: VideoFiles,
    info: VideoInfo,
    decision: Decision,
    seconds: Mapping[str, float],
    settings: CurationSettings,
) -> VideoRecord:
    """Return the record of a video.

    Args:
        files: of the video.
        info: its properties.
        decision: the kept clips and spans.
        seconds: time spent on it, by the names of the record's fields.
        settings: name the models.
    """
    outcome = (
        decided_columns(decision) | {"n_clips": len(decision.clips)} | dict(seconds) | lip_columns(settings.perception)
    )
    return VideoRecord.curated(files.video, info, outcome)


def decided_columns(decision: Decision) -> dict[str, float | None]:
    """Return what a decision says of a video as a whole, by the names of the record's fields."""
    curve = decision.sync.curve
    return {f"kept_{tier}_s": kept_seconds(decision, tier) for tier in TIERS} | {
        "sync_z": None if curve is None else curve.z,
        "sync_offset_ticks": None if curve is None else curve.offset_ticks,
        "sync_ticks": None if curve is None else curve.n_ticks,
    }


def landmarks_of(settings: CurationSettings) -> LandmarkScheme:
    """Return the landmark scheme of the face finder in these settings."""
    return face_landmarks(settings.perception)


def kept_seconds(decision: Decision, tier: Tier) -> float:
    """Return the length of a video that a tier keeps, seconds."""
    kept = [s.end_tick - s.first_tick for s in decision.spans if s.tier == tier and s.outcome == "kept"]
    return sum(kept) / float(TICK_RATE_HZ)


def spans_table(video_id: str, decision: Decision, n_ticks: int) -> pa.Table:
    """Return a video's rows of `spans`, whose seconds add up to its duration in either tier.

    Args:
        video_id: the video.
        decision: the spans with their reasons.
        n_ticks: length of the video, ticks.
    """
    for tier in TIERS:
        covered = sum(span.end_tick - span.first_tick for span in decision.spans if span.tier == tier)
        if covered != n_ticks:
            raise AssertionError(f"{video_id}: spans of tier {tier} cover {covered} of {n_ticks} ticks")
    rows = [
        {
            "video_id": video_id,
            "start_s": seconds_of_tick(span.first_tick),
            "end_s": seconds_of_tick(span.end_tick),
            "tier": span.tier,
            "outcome": span.outcome,
            "value": span.value,
            "limit": span.limit,
            "failed": list(span.failed),
            "clip_id": None if span.clip is None else span.clip.clip_id(video_id),
            "sync": None if span.sync is None else span.sync.outcome,
            "sync_reason": None if span.sync is None else span.sync.reason,
            "on_grid": span.on_grid,
        }
        for span in decision.spans
    ]
    return pa.Table.from_pylist(rows, schema=SPANS.arrow_schema())


def _write_decision(
    staged: StagedFiles,
    files: VideoFiles,
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
    frames: pa.Table | None = None,
) -> None:
    video_id = files.video.video_id
    if frames is None:
        frames = frames_table(video_id, evidence, decision, landmarks_of(settings))
    if not settings.privacy.descriptors_stored:
        frames = without_descriptors(frames)
    _write(staged, files, FRAMES, frames)
    _write(staged, files, SPANS, spans_table(video_id, decision, len(evidence)))


def _write(staged: StagedFiles, files: VideoFiles, table: Table, rows: pa.Table) -> None:
    with staged.replacing(files.rows(table)) as stream:
        write_rows(stream, rows, table)
