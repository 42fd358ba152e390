"""Rendering of planned clips: their range is decoded once, encoded once, and its speech processed once."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from av.video.frame import VideoFrame

from curation.decision.decide import ClipPlan, Decision
from curation.evidence.joining import rows_of
from curation.evidence.measures import Evidence, FaceMeasures
from curation.media.encode import encode_flac, encode_mp4
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from curation.rendering.clip_pictures import ClipPictures
from curation.rendering.clip_sound import clip_audio, speech_heard
from curation.rendering.crop import Crop, choose_crop
from curation.rendering.settings import RenderSettings
from curation.rules.frontal import frontal_angle_deg
from curation.rules.jitter import measured_step
from curation.speech.clean import clean_speech
from curation.speech.models import SpeechModels
from curation.speech.protocols import SpeechClip
from curation.speech.snr import snr_db
from foundation.array_types import Float16Array, Float32Array, RgbImage
from manifests.files.transcript import Transcript
from manifests.landmarks import landmark_box
from manifests.timeline import AUDIO_RATE_HZ

__all__ = [
    "ClipEvidence",
    "RenderedBefore",
    "RenderedClip",
    "RenderedSound",
    "RenderedSpeech",
    "evidence_of_clips",
    "render_clips",
]

_CLIPS_AT_ONCE = 8
"""Number of clips with audio that is held and encoded in one batch, for a GPU; 240 s at the default length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedSpeech:
    """The processed audio of a clip of tier `diffusion`."""

    features: Float16Array | None
    """(N, D) row k at the middle of tick k."""
    encoder: str | None
    """Name of the speech encoder."""
    loudness_lufs_before: float | None
    loudness_lufs_after: float | None
    snr_db: float | None
    transcript: Transcript | None = None
    """What is said; None where nobody was to write it down."""


_Clean = tuple[Float32Array, RenderedSpeech]
"""(640 N,) processed samples of a clip at 16 kHz, and what else is kept of its speech."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedSound:
    """Sound of a clip in its file, and what is kept of its speech; None where the sound is as in the source."""

    flac: bytes
    speech: RenderedSpeech | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedBefore:
    """Media of a clip that need not be made again; None where they do."""

    mp4: bytes | None
    sound: RenderedSound | None


_NOTHING_BEFORE = RenderedBefore(mp4=None, sound=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedClip:
    """Media and arrays of one clip of N ticks."""

    plan: ClipPlan
    crop: Crop
    mp4: bytes
    flac: bytes | None
    """The audio, 16 kHz mono: processed in tier `diffusion`, else as it is in the source, which may have none."""
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
    """Share of ticks with speech; None without audio."""
    identity: Float32Array | None
    """(D,) mean of the identity descriptors in the clip."""
    speech: RenderedSpeech | None

    @property
    def mp4_sha256(self) -> str:
        """Checksum of the video file."""
        return hashlib.sha256(self.mp4).hexdigest()

    @property
    def flac_sha256(self) -> str | None:
        """Checksum of the audio file; None without one."""
        return None if self.flac is None else hashlib.sha256(self.flac).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipEvidence:
    """Evidence of a planned clip of N ticks."""

    plan: ClipPlan
    face: FaceMeasures
    """(N, ...) of the main face."""
    speech_prob: Float32Array | None
    """(N,) probability of speech in the sound of the clip; None without audio."""


def evidence_of_clips(evidence: Evidence, decision: Decision) -> list[ClipEvidence]:
    """Return the planned clips of a video with what was measured in them."""
    return [
        ClipEvidence(
            plan=plan,
            face=rows_of(decision.face, plan.first_tick, plan.end_tick),
            speech_prob=speech_heard(evidence, plan),
        )
        for plan in decision.clips
    ]


def render_clips(
    info: VideoInfo,
    clips: Iterable[ClipEvidence],
    *,
    settings: RenderSettings,
    speech: SpeechModels,
    before: Mapping[ClipPlan, RenderedBefore] | None = None,
) -> tuple[RenderedClip, ...]:
    """Cut planned clips out of their source.

    Args:
        info: the source.
        clips: only those of tier `diffusion` have their audio processed; of the others it is kept as it is.
        settings: crop, encoding, and the probability from which a tick counts as speech.
        speech: loudness, denoiser, encoder and transcriber.
        before: media that are there already, by clip; None: there are none.

    Raises:
        MediaError: a range cannot be decoded any more.
    """
    rendered: list[RenderedClip] = []
    waiting, known = iter(clips), before or {}
    while together := list(islice(waiting, _CLIPS_AT_ONCE)):
        done = [known.get(clip.plan, _NOTHING_BEFORE) for clip in together]
        spoken = [
            clip
            for clip, there in zip(together, done, strict=True)
            if clip.plan.tier == "diffusion" and there.sound is None
        ]
        speech_of = dict(
            zip((clip.plan for clip in spoken), _speech(info, spoken, speech, settings.min_speech_prob), strict=True)
        )
        for clip, there in zip(together, done, strict=True):
            sound = there.sound or _sound(info, clip.plan, speech_of.get(clip.plan))
            rendered.append(_render_clip(info, clip, settings, there.mp4, sound))
    return tuple(rendered)


def _sound(info: VideoInfo, plan: ClipPlan, spoken: _Clean | None) -> RenderedSound | None:
    """Return the sound of a clip as a file: what was processed, else as it is in the source, which may have none."""
    audio, speech = (clip_audio(info, plan), None) if spoken is None else spoken
    return None if audio is None else RenderedSound(flac=encode_flac(audio, AUDIO_RATE_HZ), speech=speech)


def _render_clip(
    info: VideoInfo, clip: ClipEvidence, settings: RenderSettings, mp4: bytes | None, sound: RenderedSound | None
) -> RenderedClip:
    face, speech_prob = clip.face, clip.speech_prob
    crop = choose_crop(landmark_box(face.landmarks_px), settings.crop)
    angle = frontal_angle_deg(face.key_points_px)
    size_px = settings.crop.size_px
    steps = measured_step(face, np.zeros(len(angle), dtype=np.bool_))[1:]
    described = face.descriptor[np.count_nonzero(np.isnan(face.descriptor), axis=1) == 0]
    return RenderedClip(
        plan=clip.plan,
        crop=crop,
        mp4=mp4 or encode_mp4(_images(info, clip.plan, crop, settings), size_px, settings.media),
        flac=None if sound is None else sound.flac,
        landmarks_px=crop.points(face.landmarks_px, size_px),
        blendshapes=face.blendshapes,
        pose_deg=face.pose_deg,
        frontal_angle_mean_deg=float(angle.mean()),
        frontal_angle_std_deg=float(angle.std()),
        max_step=float(np.nanmax(steps)),
        mask_prob_max=float(face.mask_prob.max()),
        sharpness_mean=float(face.sharpness.mean()),
        speech_ratio=None if speech_prob is None else float((speech_prob >= settings.min_speech_prob).mean()),
        identity=described.mean(axis=0) if described.size else None,
        speech=None if sound is None else sound.speech,
    )


def _images(info: VideoInfo, plan: ClipPlan, crop: Crop, settings: RenderSettings) -> Iterator[RgbImage | VideoFrame]:
    picture = ClipPictures(crop, settings.crop.size_px)
    for frame in tick_frames(info, plan.first_tick, plan.end_tick, settings.media):
        if frame.shown is None:
            raise RuntimeError(
                f"{info.path}: tick {frame.tick} was decoded when analysed and is not now; is the disk failing?"
            )
        yield picture(frame.shown)


def _speech(
    info: VideoInfo, clips: Sequence[ClipEvidence], models: SpeechModels, min_speech_prob: float
) -> list[_Clean]:
    """Return the processed audio of clips of tier `diffusion`."""
    speeches = [_clean_speech(info, clip, models, min_speech_prob) for clip in clips]
    if models.encoder is None:
        return speeches
    features = models.encoder.encode_clips(
        [SpeechClip(samples, clip.plan.n_ticks) for clip, (samples, _) in zip(clips, speeches, strict=True)]
    )
    return [
        (samples, replace(speech, features=rows, encoder=models.encoder.name))
        for (samples, speech), rows in zip(speeches, features, strict=True)
    ]


def _clean_speech(info: VideoInfo, clip: ClipEvidence, models: SpeechModels, min_speech_prob: float) -> _Clean:
    """Return the processed audio of a clip but for its features."""
    audio = clip_audio(info, clip.plan)
    if audio is None or clip.speech_prob is None:
        raise RuntimeError(f"{info.path}: a clip of tier diffusion without audio; the rule `silence` passes none")
    clean = clean_speech(audio, models)
    told = None
    if models.transcriber is not None:
        told = models.transcriber(clean.audio_16k, clip.speech_prob >= min_speech_prob)
    return clean.audio_16k, RenderedSpeech(
        features=None,
        encoder=None,
        loudness_lufs_before=clean.lufs_before,
        loudness_lufs_after=clean.lufs_after,
        snr_db=snr_db(audio, clip.speech_prob),
        transcript=told,
    )
