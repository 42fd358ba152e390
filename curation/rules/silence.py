"""Rule `silence`: who is shown speaks, with no longer pauses than speech has (GAIA appendix A.1, third policy).

A voice alone does not show who speaks: over the voice of a narrator or of another person, the lips that are shown rest.
"""

import numpy as np
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.runs import run_lengths, true_runs
from curation.rules.smoothing import running_deviation
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape, still_face
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ

__all__ = ["SilenceSettings", "lip_motion", "lips_at_rest", "silence"]


class SilenceSettings(Settings):
    """Settings of the rule `silence`."""

    min_speech_prob: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Probability at and above which a tick is speech; the default threshold of Silero VAD."""
    max_pause_s: float = Field(default=1.25, ge=0.0)
    """Longest pause that belongs to speech, seconds. Ours: pauses within talk end at 1.24 s on 57 real videos."""
    min_lip_motion: float = Field(default=0.004, ge=0.0)
    """Smallest standard deviation of the lip aperture over `lip_window_s`, face heights; below it, the person does not
    speak, whatever is heard. Ours: people who listen stay below 0.003, people who speak above 0.006."""
    lip_window_s: float = Field(default=2.0, ge=1.0, le=10.0)
    """Window in which lips have to move, seconds. Ours: the pauses of speech are shorter."""
    pad_s: float = Field(default=0.12, ge=0.0)
    """Margin of a longer pause that is kept next to speech, seconds, because the mouth opens before the voice."""


def lips_at_rest(lip_aperture: Float32Array, breaks: BoolArray, settings: SilenceSettings) -> BoolArray:
    """Return (T,) whether the lips hardly move around each tick; False where less than a second of them is known.

    Args:
        lip_aperture: (T,) inner-lip height of the main face, face heights; NaN without a face.
        breaks: (T,) True where the face is not that of the tick before.
        settings: least motion, and its window.
    """
    with np.errstate(invalid="ignore"):
        return _deviation(lip_aperture, breaks, settings) < settings.min_lip_motion


def lip_motion(video: MeasuredVideo, settings: SilenceSettings) -> Float32Array:
    """Return (T,) how much the lips of the main face move around each tick, face heights.

    NaN where less than a second of them is known, and where the face does not move at all, which is left to the rule
    `still_face`.

    Args:
        video: of T ticks.
        settings: the window.
    """
    still = StillFaceSettings()
    motion = face_motion(own_shape(video.face.key_points_px), video.breaks, still.window_ticks)
    moves = ~still_face(motion, still).failed
    return np.where(moves, _deviation(video.face.lip_aperture, video.breaks, settings), np.float32(np.nan))


def _deviation(lip_aperture: Float32Array, breaks: BoolArray, settings: SilenceSettings) -> Float32Array:
    n_ticks = round(settings.lip_window_s * TICK_RATE_HZ)
    return running_deviation(lip_aperture, n_ticks, breaks, least=round(TICK_RATE_HZ))


def silence(speech_prob: Float32Array | None, at_rest: BoolArray, settings: SilenceSettings) -> Verdict:
    """Drop ticks in pauses that are too long to belong to speech.

    Args:
        speech_prob: (T,) probability of speech, or None in a video without audio.
        at_rest: (T,) whether the lips hardly move, from `lips_at_rest`.
        settings: longest pause and threshold.

    Returns:
        value: seconds of the pause around each tick, 0 in speech. Without audio nothing is measured (NaN) and every
        tick fails, because a clip of tier `diffusion` needs speech.
    """
    n_ticks = len(at_rest)
    if speech_prob is None:
        return Verdict(
            value=np.full(n_ticks, np.nan, dtype=np.float32),
            failed=np.ones(n_ticks, dtype=np.bool_),
            limit=settings.max_pause_s,
        )
    quiet = (speech_prob < settings.min_speech_prob) | at_rest
    pause_s = (run_lengths(quiet) / float(TICK_RATE_HZ)).astype(np.float32)
    pad_ticks = round(settings.pad_s * TICK_RATE_HZ)
    failed = np.zeros(n_ticks, dtype=np.bool_)
    for first, end in true_runs(quiet):
        if (end - first) / TICK_RATE_HZ > settings.max_pause_s:
            inner_first = first if first == 0 else first + pad_ticks
            inner_end = end if end == n_ticks else end - pad_ticks
            failed[inner_first : max(inner_first, inner_end)] = True
    return Verdict(value=pause_s, failed=failed, limit=settings.max_pause_s)


@register(name="silence", settings=SilenceSettings, words="length of the pause", unit="s")
def _judge(video: MeasuredVideo, settings: SilenceSettings) -> Verdicts:
    with np.errstate(invalid="ignore"):
        at_rest = lip_motion(video, settings) < settings.min_lip_motion
    return {"diffusion": silence(video.evidence.speech_prob, at_rest, settings)}
