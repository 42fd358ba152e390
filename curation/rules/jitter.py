"""Rule `jitter`: the face moves smoothly between adjacent frames (GAIA appendix A.1, second policy)."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.evidence.measures import FaceMeasures
from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings

__all__ = ["JitterSettings", "face_step", "jitter", "measured_step"]


class JitterSettings(Settings):
    """Settings of the rule `jitter`."""

    strict_step: float = Field(default=0.12, gt=0.0)
    """Largest step between adjacent ticks in tier `diffusion`, face widths. The paper gives no number;
    benchmarks/results/2026-11-filter-limits.md: real speech stays below it, a shake of ±10 % does not."""
    loose_step: float = Field(default=0.16, gt=0.0)
    """The same for tier `vae`."""
    guard_ticks: int = Field(default=3, ge=0, le=25)
    """Ticks on either side of a large step that are dropped with it: a jolt blurs its neighbours. Ours."""

    @model_validator(mode="after")
    def _strict_is_stricter(self) -> Self:
        if self.strict_step > self.loose_step:
            raise ValueError(
                f"strict_step {self.strict_step} is above loose_step {self.loose_step}; strict allows less"
            )
        return self


def measured_step(face: FaceMeasures, breaks: BoolArray) -> Float32Array:
    """Return `face_step` of the points that a finder gives for this rule, or else of its landmarks and box.

    Args:
        face: T ticks.
        breaks: (T,) as for `face_step`.
    """
    points_px = face.jitter_points_px
    if points_px is None:
        return face_step(face.key_points_px, face.box_px, breaks)
    return face_step(points_px, points_px[:, 1:].reshape(-1, 4), breaks)


def face_step(key_points_px: Float32Array, box_px: Float32Array, breaks: BoolArray) -> Float32Array:
    """Return how far the face moved since the tick before, in face widths (GAIA A.1, key point and rectangle).

    The larger of two movements counts: that of the nose tip, and that of the face rectangle (its centre, or half of
    what its width changed, which is how far an edge moved). The rectangle is to come from landmarks: that of a detector
    that scans an image pyramid jumps from step to step of the pyramid (benchmarks/results/2026-11-filter-limits.md).

    Args:
        key_points_px: (T, P, 2) points of which the first is the nose tip, source pixels; NaN without a face.
        box_px: (T, 4) rectangle x0, y0, x1, y1; NaN without a face.
        breaks: (T,) True where the face is not that of the tick before: a cut, or another track.

    Returns:
        (T,) step; NaN at tick 0, at breaks and beside ticks without a face.
    """
    width_px = box_px[:, 2] - box_px[:, 0]
    centre_px = (box_px[:, :2] + box_px[:, 2:]) / 2.0
    step_px = np.full(len(box_px), np.nan, dtype=np.float32)
    nose = np.linalg.norm(np.diff(key_points_px[:, 0], axis=0), axis=1)
    middle = np.linalg.norm(np.diff(centre_px, axis=0), axis=1)
    edge = np.abs(np.diff(width_px)) / 2.0
    step_px[1:] = np.maximum(np.maximum(nose, middle), edge)
    step_px[1:] /= np.minimum(width_px[:-1], width_px[1:])
    step_px[breaks] = np.nan
    return step_px


def jitter(step: Float32Array, breaks: BoolArray, limit: float, guard_ticks: int) -> Verdict:
    """Drop ticks beside a step over the limit.

    Args:
        step: (T,) step from the tick before, face widths; NaN where there is none.
        breaks: (T,) as for `face_step`; a guard does not reach over a break.
        limit: largest accepted step.
        guard_ticks: how far a step reaches: it drops that many ticks, and one more, on either side.

    Returns:
        value: the largest step that touches the tick or its guard.
    """
    n = len(step)
    value = np.full(n, np.nan, dtype=np.float32)
    shot = np.cumsum(breaks)
    # A step into tick k belongs to both k - 1 and k; the guard widens that on either side.
    for shift in range(-guard_ticks - 1, guard_ticks + 1):
        src = np.arange(max(0, -shift), min(n, n - shift))
        dst = src + shift
        same = shot[src] == shot[dst]
        value[dst[same]] = np.fmax(value[dst[same]], step[src[same]])
    with np.errstate(invalid="ignore"):
        return Verdict(value=value, failed=value > limit, limit=limit)


@register(name="jitter", settings=JitterSettings, words="move of the face within a tick", unit="face widths")
def _judge(video: MeasuredVideo, settings: JitterSettings) -> Verdicts:
    step = measured_step(video.face, video.breaks)
    return {
        "diffusion": jitter(step, video.breaks, settings.strict_step, settings.guard_ticks),
        "vae": jitter(step, video.breaks, settings.loose_step, settings.guard_ticks),
    }
