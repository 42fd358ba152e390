"""Sound of a clip, as it is in the source, moved where the sound of the source is late or early."""

import numpy as np

from curation.decision.decide import ClipPlan
from curation.evidence.measures import Evidence
from curation.media.audio import tick_audio
from curation.media.probe import VideoInfo
from foundation.array_types import Float32Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["clip_audio", "speech_heard"]


def clip_audio(info: VideoInfo, plan: ClipPlan) -> Float32Array | None:
    """Return the sound of a clip of N ticks: that of its ticks, or the samples `plan.sound_lag_samples` after them.

    Returns:
        (640 N,) samples at 16 kHz, silence beyond the ends of the video; None where the file has no audio track.

    Raises:
        MediaError: the file can no longer be opened.
    """
    first = plan.first_tick * SAMPLES_PER_TICK + plan.sound_lag_samples
    end = plan.end_tick * SAMPLES_PER_TICK + plan.sound_lag_samples
    first_tick, end_tick = max(0, first // SAMPLES_PER_TICK), min(info.n_ticks, -(-end // SAMPLES_PER_TICK))
    heard = tick_audio(info, first_tick, end_tick)
    if heard is None or not plan.sound_lag_samples:
        return heard
    skipped = first - first_tick * SAMPLES_PER_TICK  # negative where the clip begins before the sound of the video
    moved = np.zeros(end - first, dtype=np.float32)
    kept = heard[max(0, skipped) : skipped + len(moved)]
    moved[max(0, -skipped) :][: len(kept)] = kept
    return moved


def speech_heard(evidence: Evidence, plan: ClipPlan) -> Float32Array | None:
    """Return the probability of speech in the sound of a clip of N ticks.

    Returns:
        (N,) probabilities, 0 on ticks that were not measured; None without audio.
    """
    if evidence.speech_prob is None:
        return None
    ticks = np.arange(plan.heard.first_tick, plan.heard.end_tick)
    inside = (ticks >= 0) & (ticks < len(evidence))
    heard = np.zeros(plan.n_ticks, dtype=np.float32)
    heard[inside] = np.nan_to_num(evidence.speech_prob[ticks[inside]])
    return heard
