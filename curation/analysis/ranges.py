"""Analysis of ranges of a video: their sound first, then the pictures where they are looked at."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from curation.analysis.analyze import analyze_audio, analyze_frames, not_looked_at
from curation.analysis.tick_choice import EveryTick, TickChoice
from curation.evidence.joining import scatter_rows, stitch, with_audio
from curation.evidence.measures import AudioEvidence, Evidence, FrameEvidence
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.perception.models import Perception
from foundation.array_types import Float32Array
from manifests.timeline import TickRange, ticks_of

__all__ = ["ChoiceOf", "analyze_audio_of", "analyze_looked_at", "analyze_ranges", "clipped", "every_tick_of"]


class ChoiceOf(Protocol):
    """Makes the choice of the ticks of a range that are measured."""

    def __call__(self, *, goes_on: tuple[bool, bool] = (False, False)) -> TickChoice:
        """Return the choice; `goes_on`: whether the pictures go on before the range, and after it."""
        ...


def every_tick_of(*, goes_on: tuple[bool, bool] = (False, False)) -> TickChoice:  # noqa: ARG001
    """Return the choice of all ticks of a range: a `ChoiceOf`."""
    return EveryTick()


def analyze_ranges(
    info: VideoInfo,
    models: Perception,
    stretches: Sequence[TickRange],
    sound: AudioEvidence,
    looked_at: Sequence[TickRange],
    media: MediaSettings,
    choice_of: ChoiceOf = every_tick_of,
) -> Evidence:
    """Measure the frames of ranges of a video, each as a recording of its own, and join them with their sound.

    Nothing between them is decoded, except the few frames next to a range that the cut scorer compares it with.

    Args:
        info: the video.
        models: those that measure.
        stretches: the ranges, in order.
        sound: of their ticks, concatenated, from `analyze_audio_of`.
        looked_at: ranges within them of which pictures are measured, in order.
        media: how the video is decoded.
        choice_of: chooses the ticks that are measured, by what is seen on the way.

    Raises:
        MediaError: the file cannot be decoded.
    """
    frames = [analyze_looked_at(info, models, stretch, looked_at, media, choice_of) for stretch in stretches]
    return scatter_rows(with_audio(stitch(frames), sound), ticks_of(stretches), info.n_ticks)


def analyze_looked_at(
    info: VideoInfo,
    models: Perception,
    within: TickRange,
    looked_at: Sequence[TickRange],
    media: MediaSettings,
    choice_of: ChoiceOf,
    *,
    goes_on: tuple[bool, bool] = (False, False),
) -> FrameEvidence:
    """Measure the frames of a range of a video as far as it is looked at; of its other ticks nothing is known.

    Args:
        info: the video.
        models: those that measure.
        within: the range, of at least one tick.
        looked_at: ranges of which pictures are measured, in order; what lies outside of `within` is left out.
        media: how the video is decoded.
        choice_of: chooses the ticks that are measured, by what is seen on the way.
        goes_on: whether pictures are looked at before the range, and after it.

    Raises:
        MediaError: the file cannot be decoded.
    """
    parts, tick = [], within[0]
    for first, end in clipped(looked_at, within):
        if tick < first:
            parts.append(not_looked_at(models, first - tick))
        choice = choice_of(goes_on=(goes_on[0] and first == within[0], goes_on[1] and end == within[1]))
        parts.append(analyze_frames(info, models, first, end, media, choice))
        tick = end
    if tick < within[1]:
        parts.append(not_looked_at(models, within[1] - tick))
    return stitch(parts)


def clipped(ranges: Sequence[TickRange], within: TickRange) -> list[TickRange]:
    """Return the parts of ranges that lie within another one.

    >>> clipped([(0, 3), (5, 9), (12, 14)], (2, 7))
    [(2, 3), (5, 7)]
    """
    parts = [(max(first, within[0]), min(end, within[1])) for first, end in ranges]
    return [(first, end) for first, end in parts if first < end]


def analyze_audio_of(info: VideoInfo, models: Perception, stretches: Sequence[TickRange]) -> AudioEvidence:
    """Measure the audio of ranges, each as a recording of its own; their ticks are concatenated.

    Raises:
        MediaError: the file cannot be opened.
    """
    ranges = [analyze_audio(info, models, first, end) for first, end in stretches]
    return AudioEvidence(
        speech_prob=_joined([audio.speech_prob for audio in ranges]),
        loudness_dbfs=_joined([audio.loudness_dbfs for audio in ranges]),
    )


def _joined(columns: Sequence[Float32Array | None]) -> Float32Array | None:
    present = [column for column in columns if column is not None]
    return np.concatenate(present) if len(present) == len(columns) else None
