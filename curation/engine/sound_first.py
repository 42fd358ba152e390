"""What the sound of a video leaves to be looked at, where only clips of tier `diffusion` are asked for."""

from collections.abc import Sequence

import numpy as np

from curation.analysis.analyze import WINDOW_STEP_TICKS
from curation.decision.grid import margin_in_sound
from curation.decision.possible_speech import possible_speech
from curation.evidence.measures import GRID_TICKS, AudioEvidence
from curation.evidence.track_stretches import united
from curation.rules.runs import true_runs
from curation.settings import CurationSettings
from manifests.timeline import TickRange, ticks_of

__all__ = ["looked_at"]


def looked_at(
    sound: AudioEvidence, stretches: Sequence[TickRange], n_ticks: int, settings: CurationSettings
) -> list[TickRange]:
    """Return the ranges of a video of which pictures are measured, in order: all of it, unless speech decides.

    It does where only tier `diffusion` is asked for, and `analysis.every_tick` is false.

    A clip of tier `vae` may be silent; one of tier `diffusion` lies within speech, and what is further away than the
    longest reach of a rule cannot change it. A range begins on a multiple of `WINDOW_STEP_TICKS` or where a stretch
    does, so that it is searched and described on the same ticks as the complete video. It is longer than what counts by
    as much as makes the first and the last ticks that count those of the complete video: a stride of masks, and a group
    of the grid, because it is not known of the first picture whether it is a new one.

    Args:
        sound: of the stretches, concatenated.
        stretches: those to curate, in order.
        n_ticks: length of the video.
        settings: which tiers, and the rules.
    """
    if "vae" in settings.tiers or settings.analysis.every_tick:
        return list(stretches)
    ticks = ticks_of(stretches)
    trimmed = np.ones(n_ticks, dtype=np.bool_)
    trimmed[ticks] = False
    speech_prob = None
    if sound.speech_prob is not None:
        speech_prob = np.full(n_ticks, np.nan, dtype=np.float32)
        speech_prob[ticks] = sound.speech_prob
    margin, stride, ranges = margin_in_sound(settings.rules), settings.perception.mask_stride, []
    for first, end in true_runs(possible_speech(speech_prob, trimmed, settings.rules)):
        low, high = next(stretch for stretch in stretches if stretch[0] <= first < stretch[1])
        begin = (first - margin - stride - 2 * GRID_TICKS) // WINDOW_STEP_TICKS * WINDOW_STEP_TICKS
        ranges.append((max(low, begin), min(high, end + margin + stride)))
    return united(ranges)
