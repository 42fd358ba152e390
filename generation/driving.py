"""Read a driving video: landmarks or head poses of its face tick by tick, measured as in curation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.analysis.analyze import analyze_frames
from curation.analysis.speaking_track import with_heard_track
from curation.decision.decide import Decision, decide
from curation.evidence.joining import with_audio
from curation.evidence.measures import SURE_CUT_SCORE, AudioEvidence, FaceMeasures, FrameEvidence
from curation.media.audio import LONGEST_FILE_S, tick_audio
from curation.media.channels import within_full_scale
from curation.media.decoders import probe_for
from curation.media.errors import MediaError
from curation.perception.models import Perception
from curation.rendering.crop import Crop, choose_crop
from curation.settings import CurationSettings
from foundation.array_types import BoolArray, Float32Array
from foundation.text import count_text
from generation.speech import MUX_RATE_HZ
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick

__all__ = ["DrivingVideo", "read_driving", "read_edited", "read_head_poses", "ticks_of_video"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DrivingVideo:
    """Landmarks, head poses and audio of a driving video of T ticks."""

    landmarks_px: Float32Array
    """(T, K, 2) pixels of a crop that is fixed over the video and centred on its median face, as that of a clip is."""
    pose_deg: Float32Array
    """(T, 3) pitch, yaw, roll."""
    crop: Crop
    """The crop, in pixels of the video's frames."""
    audio_48k: Float32Array | None
    """(T * 1920,) mono; None where the video has no audio."""


def read_driving(path: Path, perception: Perception, settings: CurationSettings, size_px: int) -> DrivingVideo:
    """Return the landmarks of the main face of a video at all its ticks.

    Args:
        path: a video of any size and frame rate.
        perception: the models that the training data was made with.
        settings: those of the training data.
        size_px: width and height of the crop.

    Raises:
        GenerationError: the video cannot be read, or does not show one face, the same, from beginning to end.
    """
    try:
        info = probe_for(path, settings.media)
        _require_length(path, info.n_ticks)
        info = with_heard_track(info, perception.voice, settings.media)
        evidence = analyze_frames(info, perception, 0, info.n_ticks, settings.media)
        audio = tick_audio(info, 0, info.n_ticks, MUX_RATE_HZ)
    except MediaError as error:
        raise GenerationError(f"--driving {path}: cannot be read as a video: {error.detail}") from error
    sound = None if audio is None else within_full_scale(audio)
    return _cropped("--driving", path, evidence, settings, size_px, sound)


def read_edited(
    option: str, path: Path, perception: Perception, settings: CurationSettings, size_px: int, n_ticks: int
) -> DrivingVideo:
    """Return the landmarks of the main face of a video in its first ticks, without its sound.

    Args:
        option: of the command that names the video.
        path: a video of any size and frame rate.
        perception: the models that the training data was made with.
        settings: those of the training data.
        size_px: width and height of the crop.
        n_ticks: ticks to measure; what comes after them is not decoded.

    Raises:
        GenerationError: the video cannot be read, is shorter, or does not show one face, the same, all the time.
    """
    try:
        info = probe_for(path, settings.media)
        _require_as_long(option, path, info.n_ticks, n_ticks)
        evidence = analyze_frames(info, perception, 0, n_ticks, settings.media)
    except MediaError as error:
        raise GenerationError(f"{option} {path}: cannot be read as a video: {error.detail}") from error
    return _cropped(option, path, evidence, settings, size_px, None)


def ticks_of_video(option: str, path: Path, settings: CurationSettings, *, at_least: int) -> int:
    """Return the number of frames that a video has at 25 a second; nothing of it is decoded.

    Raises:
        GenerationError: it cannot be read, or has less than `at_least`.
    """
    try:
        n_ticks = probe_for(path, settings.media).n_ticks
    except MediaError as error:
        raise GenerationError(f"{option} {path}: cannot be read as a video: {error.detail}") from error
    _require_as_long(option, path, n_ticks, at_least)
    return n_ticks


def _cropped(
    option: str,
    path: Path,
    evidence: FrameEvidence,
    settings: CurationSettings,
    size_px: int,
    audio_48k: Float32Array | None,
) -> DrivingVideo:
    face = _one_face(option, path, evidence, settings)
    _require_one_size(option, path, evidence)
    crop = choose_crop(landmark_box(face.landmarks_px), settings.crop)
    landmarks_px = crop.points(face.landmarks_px, size_px)
    return DrivingVideo(landmarks_px=landmarks_px, pose_deg=face.pose_deg, crop=crop, audio_48k=audio_48k)


def _require_as_long(option: str, path: Path, n_ticks: int, speech_ticks: int) -> None:
    if n_ticks < speech_ticks:
        raise GenerationError(
            f"{option} {path}: has {count_text(n_ticks, 'frame')} of 1/25 s, but the speech has {speech_ticks}; give "
            "a video that is at least as long"
        )


def read_head_poses(path: Path, perception: Perception, settings: CurationSettings, n_ticks: int) -> Float32Array:
    """Return (n_ticks, 3) pitch, yaw and roll, degrees, of the main face of a video in its first ticks.

    Args:
        path: a video of any size and frame rate.
        perception: the models that the training data was made with.
        settings: those of the training data.
        n_ticks: ticks to measure; what comes after them is not decoded.

    Raises:
        GenerationError: the video cannot be read, is shorter, or does not show one face, the same, all the time.
    """
    try:
        info = probe_for(path, settings.media)
        _require_as_long("--pose", path, info.n_ticks, n_ticks)
        evidence = analyze_frames(info, perception, 0, n_ticks, settings.media)
    except MediaError as error:
        raise GenerationError(
            f"--pose {path}: cannot be read as a video: {error.detail}; give a CSV or Parquet file, a video, predict, "
            "still, or formulas such as yaw=10*sin(2pi t/4)"
        ) from error
    return _one_face("--pose", path, evidence, settings).pose_deg


def _one_face(option: str, path: Path, evidence: FrameEvidence, settings: CurationSettings) -> FaceMeasures:
    """Return what was measured of the main face of a video, tick by tick.

    Raises:
        GenerationError: it is not there all the time, or another one takes over.
    """
    silent = with_audio(evidence, AudioEvidence(speech_prob=None, loudness_dbfs=None))
    decision = decide(silent, settings.rules, identity=settings.perception.identity)
    missing: BoolArray = np.isnan(decision.face.landmarks_px[:, 0, 0])
    _require_one_face(option, path, decision, missing)
    return decision.face


def _require_length(path: Path, n_ticks: int) -> None:
    """Refuse a video whose landmarks and sound are too much to hold."""
    if n_ticks > LONGEST_FILE_S * TICK_RATE_HZ:
        raise GenerationError(f"--driving {path}: it has more than {LONGEST_FILE_S // 60} minutes; cut it there")


def _require_one_size(option: str, path: Path, evidence: FrameEvidence) -> None:
    """Refuse a video whose frames change their size: one crop cannot be fixed over it."""
    changes = evidence.cut_score >= SURE_CUT_SCORE
    if changes.any():
        at_s = seconds_of_tick(int(np.argmax(changes)))
        raise GenerationError(
            f"{option} {path}: the picture changes its size, or fades, at {at_s:.2f} s; cut the video there"
        )


def _require_one_face(option: str, path: Path, decision: Decision, missing: BoolArray) -> None:
    if missing.all():
        raise GenerationError(f"{option} {path}: no face was found in it")
    if missing.any():
        first = int(np.argmax(missing))
        n = int(np.argmin([*missing[first:], False]))
        raise GenerationError(
            f"{option} {path}: no face from {seconds_of_tick(first):.2f} s on, for {n} of "
            f"{count_text(len(missing), 'frame')}; cut the video to where its face is visible all the time"
        )
    if decision.main.changes.any():
        at_s = seconds_of_tick(int(np.argmax(decision.main.changes)))
        raise GenerationError(f"{option} {path}: another face takes over at {at_s:.2f} s; cut the video there")
