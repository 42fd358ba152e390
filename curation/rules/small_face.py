"""Rule `small_face`: a face must have enough pixels for the 256 by 256 crop."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import Float32Array
from foundation.settings import Settings

__all__ = ["SmallFaceSettings", "small_face"]


class SmallFaceSettings(Settings):
    """Settings of the rule `small_face`."""

    strict_px: float = Field(default=128.0, gt=0.0)
    """Narrowest face of tier `diffusion`, source pixels. Ours: the face takes half of the 256 px crop, so that a
    narrower one would be upscaled."""
    loose_px: float = Field(default=100.0, gt=0.0)
    """Narrowest face of tier `vae`, source pixels. Ours: an upscaling of up to 1.28, which H.264 sources hide."""

    @model_validator(mode="after")
    def _strict_is_stricter(self) -> Self:
        if self.strict_px < self.loose_px:
            raise ValueError(
                f"strict_px {self.strict_px} is below loose_px {self.loose_px}; strict asks for wider faces"
            )
        return self


def small_face(width_px: Float32Array, limit_px: float) -> Verdict:
    """Drop ticks whose face is narrower than the limit.

    Args:
        width_px: (T,) width of the main face's box, source pixels; NaN without a face.
        limit_px: narrowest accepted face.

    Returns:
        value: the width.
    """
    with np.errstate(invalid="ignore"):
        return Verdict(value=width_px, failed=width_px < limit_px, limit=limit_px)


@register(name="small_face", settings=SmallFaceSettings, words="width of the face", unit="px", keeps="at least")
def _judge(video: MeasuredVideo, settings: SmallFaceSettings) -> Verdicts:
    width_px = video.face.width_px
    return {"diffusion": small_face(width_px, settings.strict_px), "vae": small_face(width_px, settings.loose_px)}
