"""Rule `frontal`: the face looks towards the camera, so that all of the lips is visible (GAIA A.1, first policy)."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.smoothing import running_median
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import Float32Array
from foundation.settings import Settings
from manifests.landmarks import KEY_POINT_NAMES

__all__ = ["FrontalMeasure", "FrontalSettings", "deviation_deg", "frontal", "frontal_angle_deg", "roll_deg"]

FrontalMeasure = Literal["a1", "roll_free"]

_NOSE = KEY_POINT_NAMES.index("nose_tip")

_RIGHT = KEY_POINT_NAMES.index("right_eye_outer")

_LEFT = KEY_POINT_NAMES.index("left_eye_outer")


class FrontalSettings(Settings):
    """Settings of the rule `frontal`."""

    measure: FrontalMeasure = "roll_free"
    """How the deviation is measured. `a1`: of the frontal angle from 180°, as GAIA A.1 words it; a head tilted by 15°
    has 30. `roll_free`: the same in the face's own upright frame, or the tilt itself where that is larger, because a
    tilt hides nothing of the lips. Ours: A.1 drops "large deflections where the lips may be incomplete"."""
    strict_deg: float = Field(default=35.0, gt=0.0, le=180.0)
    """Largest deviation in tier `diffusion`. The paper speaks of "a range around it"
    and gives no number; benchmarks/results/2026-11-filter-limits.md shows what this one drops."""
    loose_deg: float = Field(default=45.0, gt=0.0, le=180.0)
    """The same for tier `vae`."""
    smooth_ticks: int = Field(default=9, ge=1, le=99)
    """Width of the running median, ticks, odd. Ours: a look aside of less than 0.2 s divides no clip, as in `mask`."""

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


def roll_deg(key_points_px: Float32Array) -> Float32Array:
    """Return the tilt of faces: the angle of the line through the outer eye corners, clockwise as the viewer sees it.

    Args:
        key_points_px: (..., 9, 2) in the order of `KEY_POINT_NAMES`; y points down.

    Returns:
        (...,) degrees in (-180, 180].
    """
    eyes = key_points_px[..., _LEFT, :] - key_points_px[..., _RIGHT, :]
    return np.asarray(np.degrees(np.arctan2(eyes[..., 1], eyes[..., 0])), dtype=np.float32)


def deviation_deg(key_points_px: Float32Array, measure: FrontalMeasure) -> Float32Array:
    """Return how far faces are from looking into the camera, by either measure of `FrontalSettings.measure`.

    Args:
        key_points_px: (..., 9, 2) in the order of `KEY_POINT_NAMES`; y points down.
        measure: which of them.

    Returns:
        (...,) degrees, 0 for an upright face that looks into the camera.

    >>> tilted = np.zeros((9, 2), np.float32)
    >>> tilted[0], tilted[1], tilted[4] = (42, 64), (20, 30), (78, 46)  # tilted by 15 degrees, nose in the middle
    >>> round(float(deviation_deg(tilted, "a1"))), round(float(deviation_deg(tilted, "roll_free")))
    (31, 15)
    """
    if measure == "a1":
        return np.asarray(np.abs(frontal_angle_deg(key_points_px) - np.float32(180.0)))
    tilt_deg = roll_deg(key_points_px)
    tilt = np.radians(tilt_deg)
    # turned back by the tilt: columns of the rotation, for points as rows
    upright = np.stack(
        [np.stack([np.cos(tilt), -np.sin(tilt)], axis=-1), np.stack([np.sin(tilt), np.cos(tilt)], axis=-1)], axis=-2
    )
    turn_deg = np.abs(frontal_angle_deg(key_points_px @ upright) - np.float32(180.0))
    return np.asarray(np.maximum(turn_deg, np.abs(tilt_deg)))


def frontal(deviation: Float32Array, limit_deg: float) -> Verdict:
    """Drop ticks whose deviation is larger than the limit.

    Args:
        deviation: (T,) from `deviation_deg`; NaN without a face.
        limit_deg: largest accepted one.

    Returns:
        value: the deviation, degrees.
    """
    with np.errstate(invalid="ignore"):
        return Verdict(value=deviation, failed=deviation > limit_deg, limit=limit_deg)


@register(name="frontal", settings=FrontalSettings, words="deviation from a frontal face", unit="deg")
def _judge(video: MeasuredVideo, settings: FrontalSettings) -> Verdicts:
    deviation = deviation_deg(video.face.key_points_px, settings.measure)
    deviation = running_median(deviation, settings.smooth_ticks, video.breaks)
    return {"diffusion": frontal(deviation, settings.strict_deg), "vae": frontal(deviation, settings.loose_deg)}
