"""Rule `small_face`: a face must have enough pixels for the 256 by 256 crop."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.smoothing import running_median
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ

__all__ = ["SmallFaceSettings", "small_face", "width_in_clip_px"]


class SmallFaceSettings(Settings):
    """Settings of the rule `small_face`."""

    strict_px: float = Field(default=100.0, gt=0.0)
    """Narrowest face of tier `diffusion`, source pixels. Ours: the face takes half of the 256 px clip, so that 100 px
    are enlarged by 1.28; lips and teeth look as in a clip that is not enlarged, only skin is smoother."""
    loose_px: float = Field(default=75.0, gt=0.0)
    """Narrowest face of tier `vae`, source pixels. Ours: enlarged by 1.7, lips have edges and teeth show; at 60 px they
    do not."""
    window_s: float = Field(default=3.0, gt=0.0, le=30.0)
    """Width of the running median, seconds. Ours: the shortest clip, because a clip has one scale."""

    @model_validator(mode="after")
    def _strict_is_stricter(self) -> Self:
        if self.strict_px < self.loose_px:
            raise ValueError(
                f"strict_px {self.strict_px} is below loose_px {self.loose_px}; strict asks for wider faces"
            )
        return self


def width_in_clip_px(width_px: Float32Array, breaks: BoolArray, settings: SmallFaceSettings) -> Float32Array:
    """Return the running median of the width: a clip has one scale, that of its median face.

    Args:
        width_px: (T,) width of the main face's box, source pixels; NaN without a face.
        breaks: (T,) True where the face is not that of the tick before.
        settings: name the window.
    """
    return running_median(width_px, round(settings.window_s * TICK_RATE_HZ), breaks)


def small_face(width_px: Float32Array, limit_px: float) -> Verdict:
    """Drop ticks whose face is narrower than the limit.

    Args:
        width_px: (T,) width, from `width_in_clip_px`; NaN without a face.
        limit_px: narrowest accepted face.

    Returns:
        value: the width.
    """
    with np.errstate(invalid="ignore"):
        return Verdict(value=width_px, failed=width_px < limit_px, limit=limit_px)


@register(name="small_face", settings=SmallFaceSettings, words="median width of the face", unit="px", keeps="at least")
def _judge(video: MeasuredVideo, settings: SmallFaceSettings) -> Verdicts:
    width_px = width_in_clip_px(video.face.width_px, video.breaks, settings)
    return {"diffusion": small_face(width_px, settings.strict_px), "vae": small_face(width_px, settings.loose_px)}
