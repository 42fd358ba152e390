"""What one video adds to a dataset: its evidence, its spans, its clips with their media."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from curation.config import CurationSettings, SplitSettings
from curation.decide import Decision
from curation.evidence import Evidence
from curation.frames_table import frames_table
from curation.ledger import VideoRecord
from curation.media.probe import VideoInfo
from curation.render import RenderedClip
from curation.sources import SourceVideo
from manifests.arrays import Float16Array, Float32Array
from manifests.files import MemberRange, Opening, replacing, text_of_path, write_parquet, write_tar
from manifests.landmarks import landmark_scheme
from manifests.outcomes import TIERS, Split, Tier
from manifests.schema import CLIPS, FRAMES, SPANS, array_column
from manifests.staged_files import StagedFiles
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick

__all__ = ["CuratedVideo", "kept_seconds", "split_of", "write_decision", "write_parts", "write_spans"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CuratedVideo:
    """Everything that is known of a video once it went through all phases."""

    video: SourceVideo
    info: VideoInfo
    evidence: Evidence
    decision: Decision
    clips: tuple[RenderedClip, ...]
    landmark_scheme: str
    pose_method: str
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
            _write_clips(dataset, curated, settings, files)
        _write_frames(dataset, video_id, evidence, decision, curated.landmark_scheme, files.replacing)
        write_spans(dataset, video_id, decision, len(evidence), files.replacing)
    outcome = {
        "kept_diffusion_s": kept_seconds(curated.decision, "diffusion"),
        "kept_vae_s": kept_seconds(curated.decision, "vae"),
        "n_clips": len(curated.clips),
        "analyze_s": curated.analyze_s,
        "decide_s": curated.decide_s,
        "render_s": curated.render_s,
    }
    return VideoRecord.curated(curated.video, curated.info, outcome)


def write_decision(dataset: Path, video_id: str, evidence: Evidence, decision: Decision, scheme: str) -> None:
    """Write a video's parts of `frames` and `spans`.

    Raises:
        OSError: the dataset cannot be written.
    """
    with StagedFiles() as files:
        _write_frames(dataset, video_id, evidence, decision, scheme, files.replacing)
        write_spans(dataset, video_id, decision, len(evidence), files.replacing)


def write_spans(dataset: Path, video_id: str, decision: Decision, n_ticks: int, opening: Opening = replacing) -> None:
    """Write a video's part of `spans`, whose seconds add up to its duration in either tier.

    Raises:
        OSError: the dataset cannot be written.
    """
    for tier in TIERS:
        told = sum(span.end_tick - span.first_tick for span in decision.spans if span.tier == tier)
        if told != n_ticks:
            raise AssertionError(f"{video_id}: spans of tier {tier} cover {told} of {n_ticks} ticks")
    write_parquet(dataset / "spans" / f"{video_id}.parquet", _spans_table(video_id, decision), SPANS, opening)


def kept_seconds(decision: Decision, tier: Tier) -> float:
    """Return how much of a video is kept in a tier, seconds."""
    kept = [s.end_tick - s.first_tick for s in decision.spans if s.tier == tier and s.outcome == "kept"]
    return sum(kept) / float(TICK_RATE_HZ)


def split_of(speaker: str, settings: SplitSettings) -> Split:
    """Return the split of all clips of a speaker: a hash of the name, so that more data moves nobody.

    >>> split_of("anna", SplitSettings(val_share=0.0, test_share=0.0))
    'train'
    """
    share = int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:8], "big") / 2**64
    if share < settings.val_share:
        return "val"
    return "test" if share < settings.val_share + settings.test_share else "train"


def _write_frames(
    dataset: Path, video_id: str, evidence: Evidence, decision: Decision, scheme: str, opening: Opening
) -> None:
    frames = frames_table(video_id, evidence, decision, landmark_scheme(scheme))
    write_parquet(dataset / "frames" / f"{video_id}.parquet", frames, FRAMES, opening)


def _write_clips(dataset: Path, curated: CuratedVideo, settings: CurationSettings, files: StagedFiles) -> None:
    video_id = curated.video.video_id
    media = f"media/{video_id}.tar"
    members = [
        (f"{clip.plan.clip_id(video_id)}.{kind}", content)
        for clip in curated.clips
        for kind, content in (("mp4", clip.mp4), ("flac", clip.speech.flac if clip.speech else None))
        if content
    ]
    ranges = dict(zip((name for name, _ in members), write_tar(dataset / media, members, files.replacing), strict=True))
    files.next_stage()
    rows = _clips_table(curated, settings, media, ranges)
    write_parquet(dataset / "clips" / f"{video_id}.parquet", rows, CLIPS, files.replacing)


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


def _clips_table(
    curated: CuratedVideo, settings: CurationSettings, media: str, ranges: dict[str, MemberRange]
) -> pa.Table:
    scalars = [_scalars(curated, clip, settings, media, ranges) for clip in curated.clips]
    arrays: dict[str, list[Float32Array | Float16Array | None]] = {
        "landmarks": [clip.landmarks_px for clip in curated.clips],
        "blendshapes": [clip.blendshapes for clip in curated.clips],
        "pose_deg": [clip.pose_deg for clip in curated.clips],
        "speech_features": [clip.speech.features if clip.speech else None for clip in curated.clips],
        "identity": [clip.identity for clip in curated.clips],
    }
    schema = CLIPS.arrow_schema()
    return pa.table(
        [
            array_column(arrays[field.name], field.type)
            if field.name in arrays
            else pa.array([row[field.name] for row in scalars], field.type)
            for field in schema
        ],
        schema=schema,
    )


def _scalars(
    curated: CuratedVideo,
    clip: RenderedClip,
    settings: CurationSettings,
    media: str,
    ranges: dict[str, MemberRange],
) -> dict[str, str | float | None]:
    video, plan, speech = curated.video, clip.plan, clip.speech
    clip_id = plan.clip_id(video.video_id)
    mp4, flac = ranges[f"{clip_id}.mp4"], ranges.get(f"{clip_id}.flac")
    return {
        "clip_id": clip_id,
        "video_id": video.video_id,
        "source": video.source,
        "path": text_of_path(video.path),
        "speaker_id": video.speaker_id,
        "tier": plan.tier,
        # Who speaks is unknown without a layout that tells: then the video stands for the speaker.
        "split": split_of(video.speaker_id or video.video_id, settings.split),
        "start_s": seconds_of_tick(plan.first_tick),
        "end_s": seconds_of_tick(plan.end_tick),
        "n_frames": plan.end_tick - plan.first_tick,
        "fps": float(TICK_RATE_HZ),
        "crop_x0": clip.crop.x0_px,
        "crop_y0": clip.crop.y0_px,
        "crop_size": clip.crop.size_px,
        "landmark_scheme": curated.landmark_scheme,
        "pose_method": curated.pose_method,
        "speech_encoder": speech.encoder if speech else None,
        "denoiser": settings.speech.denoiser if speech and settings.speech.denoiser != "none" else None,
        "loudness_lufs_before": speech.loudness_lufs_before if speech else None,
        "loudness_lufs_after": speech.loudness_lufs_after if speech else None,
        "snr_db": speech.snr_db if speech else None,
        "speech_ratio": clip.speech_ratio,
        "frontal_angle_mean": clip.frontal_angle_mean_deg,
        "frontal_angle_std": clip.frontal_angle_std_deg,
        "max_step": clip.max_step,
        "mask_prob_max": clip.mask_prob_max,
        "sharpness_mean": clip.sharpness_mean,
        "media": media,
        "mp4_offset": mp4.offset,
        "mp4_size": mp4.size,
        "flac_offset": flac.offset if flac else None,
        "flac_size": flac.size if flac else None,
        "mp4_sha256": clip.mp4_sha256,
        "flac_sha256": clip.flac_sha256,
    }
