"""What one video adds to a dataset: its evidence, its spans, its clips with their media."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation.decision.decide import Decision
from curation.evidence.measures import Evidence
from curation.media.probe import VideoInfo
from curation.output.clip_rows import clips_table, write_media
from curation.output.frame_rows import frames_table
from curation.output.ledger import VideoRecord
from curation.perception.models import face_landmarks
from curation.rendering.render import RenderedClip
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from foundation.storage.atomic import Opening, replacing
from foundation.storage.staged import StagedFiles
from manifests.files.tables import write_parquet
from manifests.landmarks import LandmarkScheme
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick
from manifests.vocabulary import TIERS, Tier

__all__ = [
    "CuratedVideo",
    "decided_record",
    "kept_seconds",
    "landmarks_of",
    "write_decision",
    "write_parts",
    "write_spans",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class CuratedVideo:
    """Everything that is known of a video once it went through all phases."""

    video: SourceVideo
    info: VideoInfo
    evidence: Evidence
    decision: Decision
    clips: tuple[RenderedClip, ...]
    analyze_s: float
    decide_s: float
    render_s: float


def write_parts(dataset: Path, curated: CuratedVideo, settings: CurationSettings) -> VideoRecord:
    """Write a video's files into the dataset and return its record, which is to be written last.

    None takes its place before all are on disk, and the Parquet file that points into the tar does after the tar: a
    part is whole, or it is not there.

    Raises:
        OSError: the dataset cannot be written.
    """
    video_id, evidence, decision = curated.video.video_id, curated.evidence, curated.decision
    with StagedFiles() as files:
        if curated.clips:
            media = f"media/{video_id}.tar"
            ranges = write_media(dataset / media, video_id, curated.clips, files)
            files.next_stage()
            rows = clips_table(curated.video, curated.clips, settings, media, ranges)
            write_parquet(dataset / CLIPS.name / f"{video_id}.parquet", rows, CLIPS, files.replacing)
        _write_frames(dataset, video_id, evidence, decision, landmarks_of(settings), files.replacing)
        write_spans(dataset, video_id, decision, len(evidence), files.replacing)
    seconds = {"analyze_s": curated.analyze_s, "decide_s": curated.decide_s, "render_s": curated.render_s}
    return decided_record(curated.video, curated.info, decision, seconds)


def decided_record(
    video: SourceVideo, info: VideoInfo, decision: Decision, seconds: Mapping[str, float]
) -> VideoRecord:
    """Return the record of a video.

    Args:
        video: the file.
        info: what was probed of it.
        decision: what becomes of it.
        seconds: what was spent on it, by the names of the record's fields.
    """
    kept = {f"kept_{tier}_s": kept_seconds(decision, tier) for tier in TIERS}
    return VideoRecord.curated(video, info, kept | {"n_clips": len(decision.clips)} | dict(seconds))


def landmarks_of(settings: CurationSettings) -> LandmarkScheme:
    """Return the numbering of the landmarks that these settings give."""
    return face_landmarks(settings.perception)


def write_decision(
    dataset: Path, video_id: str, evidence: Evidence, decision: Decision, settings: CurationSettings
) -> None:
    """Write a video's parts of `frames` and `spans`.

    Raises:
        OSError: the dataset cannot be written.
    """
    with StagedFiles() as files:
        _write_frames(dataset, video_id, evidence, decision, landmarks_of(settings), files.replacing)
        write_spans(dataset, video_id, decision, len(evidence), files.replacing)


def write_spans(
    dataset: Path,
    video_id: str,
    decision: Decision,
    n_ticks: int,
    opening: Opening = replacing,
    path: Path | None = None,
) -> None:
    """Write a video's part of `spans`, whose seconds add up to its duration in either tier.

    Args:
        dataset: the folder.
        video_id: the video.
        decision: what becomes of it.
        n_ticks: of the video.
        opening: how the file takes its place.
        path: the file; None: the video's part.

    Raises:
        OSError: the dataset cannot be written.
    """
    for tier in TIERS:
        told = sum(span.end_tick - span.first_tick for span in decision.spans if span.tier == tier)
        if told != n_ticks:
            raise AssertionError(f"{video_id}: spans of tier {tier} cover {told} of {n_ticks} ticks")
    part = path or dataset / SPANS.name / f"{video_id}.parquet"
    write_parquet(part, _spans_table(video_id, decision), SPANS, opening)


def kept_seconds(decision: Decision, tier: Tier) -> float:
    """Return how much of a video is kept in a tier, seconds."""
    kept = [s.end_tick - s.first_tick for s in decision.spans if s.tier == tier and s.outcome == "kept"]
    return sum(kept) / float(TICK_RATE_HZ)


def _write_frames(
    dataset: Path, video_id: str, evidence: Evidence, decision: Decision, scheme: LandmarkScheme, opening: Opening
) -> None:
    frames = frames_table(video_id, evidence, decision, scheme)
    write_parquet(dataset / FRAMES.name / f"{video_id}.parquet", frames, FRAMES, opening)


def _spans_table(video_id: str, decision: Decision) -> pa.Table:
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
        }
        for span in decision.spans
    ]
    return pa.Table.from_pylist(rows, schema=SPANS.arrow_schema())
