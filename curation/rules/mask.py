"""Rule `mask`: no mask, and nothing else, covers the mouth (GAIA appendix A.1, third policy)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts, in_every_tier
from foundation.array_types import Float32Array
from foundation.settings import Settings

__all__ = ["MaskSettings", "mask"]


class MaskSettings(Settings):
    """Settings of the rule `mask`."""

    max_prob: float = Field(default=0.5, ge=0.0, le=1.0)
    """Largest smoothed probability of a covered mouth. Ours: the classifier's own threshold."""
    smooth_ticks: int = Field(default=9, ge=1, le=99)
    """Width of the running median, ticks, odd. Ours: a hand that passes over the mouth takes less than 0.2 s."""


def mask(mask_prob: Float32Array, settings: MaskSettings) -> Verdict:
    """Drop ticks where the smoothed probability of a covered mouth is over the limit.

    Args:
        mask_prob: (T,) probability per tick; NaN without a face.
        settings: limit and smoothing.

    Returns:
        value: the running median over the ticks that have a face.
    """
    half = settings.smooth_ticks // 2
    padded = np.pad(mask_prob, half, constant_values=np.nan)
    present = ~np.isnan(mask_prob)
    # NumPy's nanmedian needs as long for three ticks as this for a thousand; a sort puts NaN last
    windows = np.sort(sliding_window_view(padded, 2 * half + 1)[present], axis=1)
    n_known = np.count_nonzero(~np.isnan(windows), axis=1)
    row = np.arange(len(windows))
    smoothed = np.full(len(mask_prob), np.nan, dtype=np.float32)
    smoothed[present] = (windows[row, (n_known - 1) // 2] + windows[row, n_known // 2]) / np.float32(2.0)
    with np.errstate(invalid="ignore"):
        return Verdict(value=smoothed, failed=smoothed > settings.max_prob, limit=settings.max_prob)


@register(name="mask", settings=MaskSettings, words="probability of a covered mouth")
def _judge(video: MeasuredVideo, settings: MaskSettings) -> Verdicts:
    return in_every_tier(mask(video.face.mask_prob, settings))
