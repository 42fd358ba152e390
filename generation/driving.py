"""Read a driving video: the landmarks of its face tick by tick, measured as in curation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.analysis.analyze import analyze_frames
from curation.analysis.speaking_track import with_heard_track
from curation.decision.decide import Decision, decide
from curation.evidence.joining import with_audio
from curation.evidence.measures import SURE_CUT_SCORE, AudioEvidence, Evidence
from curation.media.audio import LONGEST_FILE_S, tick_audio
from curation.media.channels import within_full_scale
from curation.media.decoders import probe_for
from curation.media.errors import MediaError
from curation.perception.models import Perception
from curation.rendering.crop import choose_crop
from curation.settings import CurationSettings
from foundation.array_types import BoolArray, Float32Array
from generation.speech import MUX_RATE_HZ
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box
from manifests.timeline import TICK_RATE_HZ, seconds_of_tick

__all__ = ["DrivingVideo", "read_driving"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DrivingVideo:
    """Landmarks and audio of a driving video of T ticks."""

    landmarks_px: Float32Array
    """(T, K, 2) pixels of a crop that is fixed over the video and centred on its median face, as that of a clip is."""
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
    evidence = with_audio(evidence, AudioEvidence(speech_prob=None, loudness_dbfs=None))
    decision = decide(evidence, settings.rules, identity=settings.perception.identity)
    landmarks_px = decision.face.landmarks_px
    missing: BoolArray = np.isnan(landmarks_px[:, 0, 0])
    _require_one_face(path, decision, missing)
    _require_one_size(path, evidence)
    crop = choose_crop(landmark_box(landmarks_px), settings.crop)
    sound = None if audio is None else within_full_scale(audio)
    return DrivingVideo(landmarks_px=crop.points(landmarks_px, size_px), audio_48k=sound)


def _require_length(path: Path, n_ticks: int) -> None:
    """Refuse a video whose landmarks and sound are too much to hold."""
    if n_ticks > LONGEST_FILE_S * TICK_RATE_HZ:
        raise GenerationError(f"--driving {path}: it has more than {LONGEST_FILE_S // 60} minutes; cut it there")


def _require_one_size(path: Path, evidence: Evidence) -> None:
    """Refuse a video whose frames change their size: one crop cannot be fixed over it."""
    changes = evidence.cut_score >= SURE_CUT_SCORE
    if changes.any():
        at_s = seconds_of_tick(int(np.argmax(changes)))
        raise GenerationError(
            f"--driving {path}: the picture changes its size, or fades, at {at_s:.2f} s; cut the video there"
        )


def _require_one_face(path: Path, decision: Decision, missing: BoolArray) -> None:
    if missing.all():
        raise GenerationError(f"--driving {path}: no face was found in it")
    if missing.any():
        first = int(np.argmax(missing))
        n = int(np.argmin([*missing[first:], False]))
        raise GenerationError(
            f"--driving {path}: no face from {seconds_of_tick(first):.2f} s on, for {n} of {len(missing)} frames; "
            "cut the video to where its face is visible all the time"
        )
    if decision.main.changes.any():
        at_s = seconds_of_tick(int(np.argmax(decision.main.changes)))
        raise GenerationError(f"--driving {path}: another face takes over at {at_s:.2f} s; cut the video there")
