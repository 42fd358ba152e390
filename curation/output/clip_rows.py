"""Clips as a dataset stores them: media as members of a tar, and rows of the table `clips` that point into it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from curation.output.lip_evidence import sync_model
from curation.output.video_files import VideoFiles
from curation.perception.models import face_landmarks, pose_method
from curation.rendering.render import RenderedClip
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from foundation.array_types import Float16Array, Float32Array
from foundation.storage.path_text import text_of_path
from manifests.files.tar import ByteSink, MemberRange, write_members
from manifests.packing.clip_json import FACT_COLUMNS, INSTRUCTION_COLUMN, PERSON_COLUMNS, clip_json
from manifests.schema.arrow_arrays import array_column
from manifests.schema.clips import CLIPS, TRANSCRIPT_COLUMNS
from manifests.sync_curve import SyncCurve
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ, seconds_of_tick

__all__ = ["write_clips"]


def write_clips(
    stream: ByteSink, files: VideoFiles, clips: Sequence[RenderedClip], settings: CurationSettings, media: str
) -> pa.Table:
    """Write a tar with the media of clips, and return their rows.

    Args:
        stream: the tar, empty.
        files: of their video.
        clips: in order.
        settings: of the run.
        media: path of the tar, relative to the dataset.

    Raises:
        OSError: the stream cannot be written.
    """
    schema = CLIPS.arrow_schema()
    scalars: list[dict[str, Any]] = [_facts(files.video, clip, settings) for clip in clips]
    facts = pa.table(
        {name: pa.array([row[name] for row in scalars], schema.field(name).type) for name in FACT_COLUMNS}
    ).to_pylist()
    members = [
        (f"{row['clip_id']}.{kind}", content)
        for clip, row in zip(clips, facts, strict=True)
        for kind, content in (("mp4", clip.mp4), ("flac", clip.flac), ("json", clip_json(row)))
        if content is not None
    ]
    ranges = {name: where for (name, _), where in zip(members, write_members(stream, members), strict=True)}
    # `gaia-curate identities` says who it is, `gaia-curate instructions` what was asked
    untold = dict.fromkeys((*PERSON_COLUMNS, INSTRUCTION_COLUMN))
    scalars = [
        row | untold | _transcript(clip) | _locations(row["clip_id"], media, ranges)
        for clip, row in zip(clips, scalars, strict=True)
    ]
    arrays: dict[str, list[Float32Array | Float16Array | None]] = {
        "landmarks": [clip.landmarks_px for clip in clips],
        "blendshapes": [clip.blendshapes for clip in clips],
        "pose_deg": [clip.pose_deg for clip in clips],
        "speech_features": [clip.speech.features if clip.speech else None for clip in clips],
        "identity": [clip.identity if settings.privacy.descriptors_stored else None for clip in clips],
        "sync_curve": [None if (curve := _curve(clip)) is None else curve.mean for clip in clips],
    }
    return pa.table(
        [
            array_column(arrays[field.name], field.type)
            if field.name in arrays
            else pa.array([row[field.name] for row in scalars], field.type)
            for field in schema
        ],
        schema=schema,
    )


def _locations(clip_id: str, media: str, ranges: Mapping[str, MemberRange]) -> dict[str, str | int | None]:
    mp4, flac = ranges[f"{clip_id}.mp4"], ranges.get(f"{clip_id}.flac")
    return {
        "media": media,
        "mp4_offset": mp4.offset,
        "mp4_size": mp4.size,
        "flac_offset": flac.offset if flac else None,
        "flac_size": flac.size if flac else None,
    }


def _transcript(clip: RenderedClip) -> dict[str, Any]:
    told = clip.speech.transcript if clip.speech else None
    return dict.fromkeys(TRANSCRIPT_COLUMNS) if told is None else told.row()


def _curve(clip: RenderedClip) -> SyncCurve | None:
    return None if clip.plan.sync is None else clip.plan.sync.curve


def _facts(video: SourceVideo, clip: RenderedClip, settings: CurationSettings) -> dict[str, str | float | None]:
    plan, speech, curve = clip.plan, clip.speech, _curve(clip)
    return {
        "clip_id": plan.clip_id(video.video_id),
        "video_id": video.video_id,
        "source": video.source,
        "path": text_of_path(video.path),
        "speaker_id": video.speaker_id,
        **asdict(video.labels),
        "tier": plan.tier,
        "split": "train",  # until the command ends and divides all clips, which takes knowing all of them
        "start_s": seconds_of_tick(plan.first_tick),
        "end_s": seconds_of_tick(plan.end_tick),
        "n_frames": plan.n_ticks,
        "fps": float(TICK_RATE_HZ),
        "crop_x0": clip.crop.x0_px,
        "crop_y0": clip.crop.y0_px,
        "crop_size": clip.crop.size_px,
        "landmark_scheme": face_landmarks(settings.perception).name,
        "pose_method": pose_method(settings.perception),
        "speech_encoder": speech.encoder if speech else None,
        "denoiser": settings.speech.denoiser if speech and settings.speech.denoiser != "none" else None,
        "loudness_lufs_before": speech.loudness_lufs_before if speech else None,
        "loudness_lufs_after": speech.loudness_lufs_after if speech else None,
        "snr_db": speech.snr_db if speech else None,
        "speech_ratio": clip.speech_ratio,
        "sync": None if plan.sync is None else plan.sync.outcome,
        "sync_reason": None if plan.sync is None else plan.sync.reason,
        "sync_z": None if curve is None else curve.z,
        "sync_offset_ticks": None if curve is None else curve.offset_ticks,
        "sync_ticks": None if curve is None else curve.n_ticks,
        "sync_model": None if curve is None else sync_model(settings.perception),
        "sound_moved_s": plan.sound_lag_samples / AUDIO_RATE_HZ if clip.flac and plan.sound_lag_samples else None,
        "frontal_angle_mean": clip.frontal_angle_mean_deg,
        "frontal_angle_std": clip.frontal_angle_std_deg,
        "max_step": clip.max_step,
        "mask_prob_max": clip.mask_prob_max,
        "sharpness_mean": clip.sharpness_mean,
        "mp4_sha256": clip.mp4_sha256,
        "flac_sha256": clip.flac_sha256,
    }
