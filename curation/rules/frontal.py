"""Rule `frontal`: the face looks towards the camera, so that the lips are whole (GAIA appendix A.1, first policy)."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import Float32Array
from foundation.settings import Settings
from manifests.landmarks import KEY_POINT_NAMES

__all__ = ["FrontalSettings", "frontal", "frontal_angle_deg"]

_NOSE = KEY_POINT_NAMES.index("nose_tip")

_RIGHT = KEY_POINT_NAMES.index("right_eye_outer")

_LEFT = KEY_POINT_NAMES.index("left_eye_outer")


class FrontalSettings(Settings):
    """Settings of the rule `frontal`."""

    strict_deg: float = Field(default=30.0, gt=0.0, le=180.0)
    """Largest deviation of the frontal angle from 180° in tier `diffusion`. The paper speaks of "a range around it"
    and gives no number; benchmarks/results/2026-11-filter-limits.md shows what this one drops."""
    loose_deg: float = Field(default=40.0, gt=0.0, le=180.0)
    """The same for tier `vae`."""

    @model_validator(mode="after")
    def _strict_is_stricter(self) -> Self:
        if self.strict_deg > self.loose_deg:
            raise ValueError(f"strict_deg {self.strict_deg} is above loose_deg {self.loose_deg}; strict allows less")
        return self


def frontal_angle_deg(key_points_px: Float32Array) -> Float32Array:
    """Return the frontal angle of faces: 180 for an upright face that looks into the camera (GAIA A.1).

    A horizontal line through the nose tip is the reference. From its left half the clockwise angle to each outer eye
    corner is taken, as the viewer sees it; the two add up to 180° where the corners lie symmetrically. Turning the
    head moves the nose tip to one side and both angles the same way; tilting it by r degrees adds 2 r.

    Args:
        key_points_px: (..., 9, 2) in the order of `KEY_POINT_NAMES`; y points down.

    Returns:
        (...,) degrees in [0, 720).

    >>> face = np.zeros((9, 2), np.float32)
    >>> face[0], face[1], face[4] = (50, 60), (20, 30), (80, 30)  # nose tip, right and left outer eye corner
    >>> round(float(frontal_angle_deg(face)), 3)  # 45 + 135
    180.0
    >>> face[0] = (60, 60)  # the nose moves towards the left eye
    >>> round(float(frontal_angle_deg(face)), 1)
    160.6
    """
    nose = key_points_px[..., _NOSE, :]
    total = np.zeros(key_points_px.shape[:-2], dtype=np.float64)
    for corner in (_RIGHT, _LEFT):
        offset = nose - key_points_px[..., corner, :]
        # From the left half of the horizontal, clockwise on the screen: up is 90 degrees.
        total += np.degrees(np.arctan2(offset[..., 1], offset[..., 0])) % 360.0
    return total.astype(np.float32)


def frontal(angle_deg: Float32Array, limit_deg: float) -> Verdict:
    """Drop ticks whose frontal angle is further from 180° than the limit.

    Args:
        angle_deg: (T,) frontal angle; NaN without a face.
        limit_deg: largest accepted deviation.

    Returns:
        value: the deviation from 180°, degrees.
    """
    deviation = np.abs(angle_deg - np.float32(180.0))
    with np.errstate(invalid="ignore"):
        return Verdict(value=deviation, failed=deviation > limit_deg, limit=limit_deg)


@register(name="frontal", settings=FrontalSettings, words="deviation of the frontal angle from 180 degrees", unit="deg")
def _judge(video: MeasuredVideo, settings: FrontalSettings) -> Verdicts:
    angle_deg = frontal_angle_deg(video.face.key_points_px)
    return {"diffusion": frontal(angle_deg, settings.strict_deg), "vae": frontal(angle_deg, settings.loose_deg)}
