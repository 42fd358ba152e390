"""The evidence of a video of which only stretches were asked for: measured one by one, placed on the video's ticks."""

from collections.abc import Sequence

import numpy as np

from curation.analyze import analyze, analyze_sound
from curation.evidence import Evidence, SoundEvidence, spread, with_sound
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.perception.model_set import Perception
from curation.trims import Stretch, ticks_of
from curation.windows import stitch
from manifests.arrays import Float32Array

__all__ = ["analyze_stretches", "hear_stretches"]


def analyze_stretches(
    info: VideoInfo, models: Perception, stretches: Sequence[Stretch], media: MediaSettings
) -> Evidence:
    """Measure stretches of a video, pictures and sound, each as a recording of its own.

    What lies between is not decoded, but for the few pictures beside a stretch that the cut scorer compares it with.

    Raises:
        MediaError: the file cannot be decoded.
    """
    parts = [analyze(info, models, first, end, media) for first, end in stretches]
    return spread(with_sound(stitch(parts), _one_after_another(parts)), ticks_of(stretches), info.n_ticks)


def hear_stretches(info: VideoInfo, models: Perception, stretches: Sequence[Stretch]) -> SoundEvidence:
    """Measure the sound of stretches, each as a recording of its own; the ticks of all follow one another.

    Raises:
        MediaError: the file cannot be opened.
    """
    return _one_after_another([analyze_sound(info, models, first, end) for first, end in stretches])


def _one_after_another(parts: Sequence[SoundEvidence]) -> SoundEvidence:
    return SoundEvidence(
        speech_prob=_joined([part.speech_prob for part in parts]),
        loudness_dbfs=_joined([part.loudness_dbfs for part in parts]),
    )


def _joined(columns: Sequence[Float32Array | None]) -> Float32Array | None:
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if len(present) == len(columns) else None
