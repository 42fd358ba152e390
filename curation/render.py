"""From planned clips to media and manifest rows: one decode of their range, one encode, speech processed once."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.config import CurationSettings
from curation.crop import Crop, choose_crop
from curation.decide import ClipPlan, Decision
from curation.evidence import Evidence
from curation.media.audio import tick_audio
from curation.media.encode import encode_flac, encode_mp4
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from curation.rules.frontal import frontal_angle_deg
from curation.rules.jitter import measured_step
from curation.speech.clean import clean_speech
from curation.speech.encoder import SpeechClip
from curation.speech.model_set import SpeechModels
from curation.speech.snr import snr_db
from manifests.arrays import Float16Array, Float32Array, RgbImage
from manifests.landmarks import landmark_box
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["RenderedClip", "RenderedSpeech", "render_clips"]

_CLIPS_AT_ONCE = 8
"""Clips whose sound is held and encoded together, for a GPU's sake; of the default length 240 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedSpeech:
    """The processed sound of a clip of tier `diffusion`."""

    flac: bytes
    features: Float16Array | None
    """(N, D) row k at the middle of tick k."""
    encoder: str | None
    """What gave the features."""
    loudness_lufs_before: float | None
    loudness_lufs_after: float | None
    snr_db: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedClip:
    """Media and arrays of one clip of N ticks."""

    plan: ClipPlan
    crop: Crop
    mp4: bytes
    landmarks_px: Float32Array
    """(N, K, 2) pixels of the clip."""
    blendshapes: Float32Array | None
    """(N, 52)."""
    pose_deg: Float32Array
    """(N, 3)."""
    frontal_angle_mean_deg: float
    frontal_angle_std_deg: float
    max_step: float
    mask_prob_max: float
    sharpness_mean: float
    speech_ratio: float | None
    """Share of ticks with speech; None without sound."""
    identity: Float32Array | None
    """(D,) mean of the identity descriptors in the clip."""
    speech: RenderedSpeech | None

    @property
    def mp4_sha256(self) -> str:
        """Checksum of the video file."""
        return hashlib.sha256(self.mp4).hexdigest()

    @property
    def flac_sha256(self) -> str | None:
        """Checksum of the sound file; None without one."""
        return None if self.speech is None else hashlib.sha256(self.speech.flac).hexdigest()


def render_clips(
    info: VideoInfo, evidence: Evidence, decision: Decision, *, settings: CurationSettings, speech: SpeechModels
) -> tuple[RenderedClip, ...]:
    """Cut all planned clips out of their source.

    Args:
        info: the source.
        evidence: of the whole source.
        decision: of the whole source; only its clips of tier `diffusion` have their sound processed.
        settings: how to crop, encode and tell speech.
        speech: loudness, denoiser and encoder.

    Raises:
        MediaError: a range cannot be decoded any more.
    """
    rendered = []
    for first in range(0, len(decision.clips), _CLIPS_AT_ONCE):
        plans = decision.clips[first : first + _CLIPS_AT_ONCE]
        spoken = [plan for plan in plans if plan.tier == "diffusion"]
        sounds = dict(zip(spoken, _speech(info, spoken, evidence.speech_prob, speech), strict=True))
        rendered += [_render_clip(info, plan, evidence, decision, settings, sounds.get(plan)) for plan in plans]
    return tuple(rendered)


def _render_clip(
    info: VideoInfo,
    plan: ClipPlan,
    evidence: Evidence,
    decision: Decision,
    settings: CurationSettings,
    speech: RenderedSpeech | None,
) -> RenderedClip:
    ticks = slice(plan.first_tick, plan.end_tick)
    face = decision.face
    crop = choose_crop(landmark_box(face.landmarks_px[ticks]), settings.crop)
    angle = frontal_angle_deg(face.key_points_px[ticks])
    size_px = settings.crop.size_px
    steps = measured_step(face, np.zeros(len(evidence), dtype=np.bool_))[ticks][1:]
    speech_prob = None if evidence.speech_prob is None else evidence.speech_prob[ticks]
    min_prob = settings.rules.silence.min_speech_prob
    described = face.descriptor[ticks]
    described = described[np.count_nonzero(np.isnan(described), axis=1) == 0]
    return RenderedClip(
        plan=plan,
        crop=crop,
        mp4=encode_mp4(_pictures(info, plan, crop, settings), size_px, settings.media),
        landmarks_px=crop.points(face.landmarks_px[ticks], size_px),
        blendshapes=None if face.blendshapes is None else face.blendshapes[ticks],
        pose_deg=face.pose_deg[ticks],
        frontal_angle_mean_deg=float(angle.mean()),
        frontal_angle_std_deg=float(angle.std()),
        max_step=float(np.nanmax(steps)),
        mask_prob_max=float(face.mask_prob[ticks].max()),
        sharpness_mean=float(face.sharpness[ticks].mean()),
        speech_ratio=None if speech_prob is None else float((speech_prob >= min_prob).mean()),
        identity=described.mean(axis=0) if described.size else None,
        speech=speech,
    )


def _pictures(info: VideoInfo, plan: ClipPlan, crop: Crop, settings: CurationSettings) -> Iterator[RgbImage]:
    for frame in tick_frames(info, plan.first_tick, plan.end_tick, settings.media):
        if frame.rgb is None:
            raise RuntimeError(
                f"{info.path}: tick {frame.tick} was decoded when analysed and is not now; is the disk failing?"
            )
        yield crop.picture(frame.rgb, settings.crop.size_px)


def _speech(
    info: VideoInfo, plans: Sequence[ClipPlan], speech_prob: Float32Array | None, models: SpeechModels
) -> list[RenderedSpeech]:
    """Return the processed sound of clips of tier `diffusion`; `speech_prob` is that of the whole source."""
    heard = [_clean_speech(info, plan, speech_prob, models) for plan in plans]
    if models.encoder is None:
        return [sound for _, sound in heard]
    clips = [SpeechClip(clean, plan.end_tick - plan.first_tick) for plan, (clean, _) in zip(plans, heard, strict=True)]
    features = models.encoder.encode_clips(clips)
    return [
        replace(sound, features=rows, encoder=models.encoder.name)
        for (_, sound), rows in zip(heard, features, strict=True)
    ]


def _clean_speech(
    info: VideoInfo, plan: ClipPlan, speech_prob: Float32Array | None, models: SpeechModels
) -> tuple[Float32Array, RenderedSpeech]:
    """Return the normalised and denoised samples of a clip, and what is kept of them but for the features."""
    audio = tick_audio(info, plan.first_tick, plan.end_tick)
    if audio is None or speech_prob is None:
        raise RuntimeError(f"{info.path}: a clip of tier diffusion without sound; the rule `silence` lets none through")
    clean = clean_speech(audio, models)
    return clean.audio_16k, RenderedSpeech(
        flac=encode_flac(clean.audio_16k, AUDIO_RATE_HZ),
        features=None,
        encoder=None,
        loudness_lufs_before=clean.lufs_before,
        loudness_lufs_after=clean.lufs_after,
        snr_db=snr_db(audio, speech_prob[plan.first_tick : plan.end_tick]),
    )
