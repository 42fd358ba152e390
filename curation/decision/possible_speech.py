"""Where speech is long enough for a clip of tier `diffusion`, by the sound of a video alone."""

import numpy as np

from curation.decision.settings import RulesSettings
from curation.rules.runs import true_runs, with_margin
from curation.rules.silence import silence
from foundation.array_types import BoolArray, Float32Array

__all__ = ["possible_speech", "widened"]


def possible_speech(speech_prob: Float32Array | None, trimmed: BoolArray, settings: RulesSettings) -> BoolArray:
    """Return (T,) whether a clip of tier `diffusion` could hold the tick, as far as its sound says.

    Of the rule `silence`, only what needs no picture is applied: pauses that are heard. Lips at rest add quiet ticks to
    those, which make pauses longer and join them. So the rule drops every tick that is dropped here, and a clip lies
    within a run that is left here.

    Args:
        speech_prob: (T,) probability of speech, NaN where the video is trimmed; None in a video without sound.
        trimmed: (T,) ticks outside the chosen ranges of the video.
        settings: of the rules `silence` and `too_short`.

    >>> speech = np.repeat(np.array([0.9, 0.1, 0.9, 0.1], np.float32), [60, 30, 40, 90])
    >>> true_runs(possible_speech(speech, np.zeros(220, np.bool_), RulesSettings()))
    [(0, 133)]
    """
    lips_move = np.zeros(len(trimmed), dtype=np.bool_)
    heard = ~silence(speech_prob, lips_move, settings.silence).failed & ~trimmed
    possible = np.zeros(len(trimmed), dtype=np.bool_)
    for first, end in true_runs(heard):
        possible[first:end] = end - first >= settings.too_short.min_ticks
    return possible


def widened(ticks: BoolArray, margin: int, trimmed: BoolArray) -> BoolArray:
    """Return (T,) ticks that are at most `margin` away from a marked one, in the same chosen range of the video.

    >>> nowhere = np.zeros(6, np.bool_)
    >>> widened(np.array([False, False, False, True, False, False]), 1, nowhere).astype(int)
    array([0, 0, 1, 1, 1, 0])
    """
    wide = np.zeros(len(ticks), dtype=np.bool_)
    for run in true_runs(ticks):
        wide[slice(*with_margin(run, margin, trimmed))] = True
    return wide
