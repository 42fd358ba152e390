"""Rule `jitter`: the face moves smoothly between adjacent frames (GAIA appendix A.1, second policy).

A.1 limits the step between two adjacent frames, to stop "rapid shaking". One step does not tell a shake from a nod;
the steps around it do. A head that nods or turns goes on in one direction for several frames, a shaken camera or an
unsteady detector goes back and forth, and a jump stands alone.
"""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.evidence.measures import FaceMeasures
from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings
from manifests.vocabulary import Tier

__all__ = [
    "JitterSettings",
    "face_moves",
    "jitter",
    "measured_moves",
    "measured_step",
    "part_lengths",
    "steady",
    "step_of",
    "unexplained",
]

_NOSE, _CENTRE, _EDGE = slice(0, 2), slice(2, 4), slice(4, 5)
"""Columns of a motion: of the nose tip, of the rectangle's centre, and of an edge that moves as its width changes."""

_MOST_TICKS_OF_A_FRAME = 3
"""A source of 10 frames a second shows one for two or three ticks; a longer stop is no repetition but a pause."""


class JitterSettings(Settings):
    """Settings of the rule `jitter`."""

    strict_step: float = Field(default=0.12, gt=0.0)
    """Largest step between adjacent ticks in tier `diffusion`, face widths. The paper gives no number;
    benchmarks/results/2026-11-filter-limits.md: real speech stays below it, a shake of ±10 % does not."""
    loose_step: float = Field(default=0.16, gt=0.0)
    """The same for tier `vae`."""
    min_steadiness: float = Field(default=0.33, gt=0.0, lt=1.0)
    """Share of a step that its neighbours must explain for it to be a head's own motion: the mean of the steps before
    and after it, along it, over the step. A steady turn has 1, one that skips a source frame in between 0.5, the middle
    of a swing at 4 Hz 0.54, a jump 0, and a shake less than 0. Ours."""
    steady_factor: float = Field(default=2.0, ge=1.0)
    """A step of a steady motion may be this many times the limit; beyond that motion blur takes the lips. Ours."""
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
    """Return the step of the points that were measured for this rule, or else of key points and box.

    Args:
        face: T ticks.
        breaks: (T,) as for `face_moves`.

    Returns:
        (T,) as `step_of`.
    """
    return step_of(measured_moves(face, breaks))


def measured_moves(face: FaceMeasures, breaks: BoolArray) -> Float32Array:
    """Return `face_moves` of the points that were measured for this rule, or else of key points and box.

    Args:
        face: T ticks.
        breaks: (T,) as for `face_moves`.
    """
    points_px = face.jitter_points_px
    if points_px is None:
        return face_moves(face.key_points_px, face.box_px, breaks)
    return face_moves(points_px, points_px[:, 1:].reshape(-1, 4), breaks)


def face_moves(key_points_px: Float32Array, box_px: Float32Array, breaks: BoolArray) -> Float32Array:
    """Return how the face moved since the tick before, in face widths (GAIA A.1, key point and rectangle).

    The rectangle has to come from landmarks: that of a detector that scans an image pyramid jumps from one level of the
    pyramid to the next (benchmarks/results/2026-11-filter-limits.md).

    Args:
        key_points_px: (T, P, 2) points of which the first is the nose tip, source pixels; NaN without a face.
        box_px: (T, 4) rectangle x0, y0, x1, y1; NaN without a face.
        breaks: (T,) True where the face is not that of the tick before: a cut, or another track.

    Returns:
        (T, 5) motion of the nose tip in x and y, of the rectangle's centre in x and y, and half of what its width
        changed, which is how far an edge moved; NaN at tick 0, at breaks and next to ticks without a face.
    """
    width_px = box_px[:, 2] - box_px[:, 0]
    centre_px = (box_px[:, :2] + box_px[:, 2:]) / 2.0
    place_px = np.concatenate([key_points_px[:, 0], centre_px, width_px[:, None] / 2.0], axis=1)
    motion = np.full((len(box_px), 5), np.nan, dtype=np.float32)
    motion[1:] = np.diff(place_px, axis=0) / np.minimum(width_px[:-1], width_px[1:])[:, None]
    motion[breaks] = np.nan
    return motion


def step_of(motion: Float32Array) -> Float32Array:
    """Return the step from the tick before: the largest of the three movements, (T,) face widths.

    Args:
        motion: (T, 5) from `face_moves`.
    """
    return np.asarray(part_lengths(motion).max(axis=1), dtype=np.float32)


def part_lengths(motion: Float32Array) -> Float32Array:
    """Return how far the nose tip, the rectangle's centre and an edge moved, (T, 3) face widths.

    Args:
        motion: (T, 5) from `face_moves`.
    """
    lengths = [np.linalg.norm(motion[:, part], axis=1) for part in (_NOSE, _CENTRE, _EDGE)]
    return np.stack(lengths, axis=1).astype(np.float32, copy=False)


def unexplained(motion: Float32Array, min_steadiness: float) -> BoolArray:
    """Return (T, 3) whether each movement of a tick goes on in another direction than its neighbours.

    A tick on which nothing moves repeats the source frame of the tick before: a video of fewer than 25 frames a second
    has such ticks. The neighbours are therefore the movements from frame to frame, each per tick that it took.

    Args:
        motion: (T, 5) from `face_moves`.
        min_steadiness: as in `JitterSettings`.
    """
    ticks = np.flatnonzero(np.any(motion != 0.0, axis=1))  # NaN is among them, and separates what it stands between
    took = np.clip(np.diff(ticks, prepend=-1), 1, _MOST_TICKS_OF_A_FRAME)
    speed = motion[ticks] / took[:, None]
    beside = np.full((2, *speed.shape), np.nan, dtype=np.float32)
    beside[0, 1:], beside[1, :-1] = speed[:-1], speed[1:]
    # At the end of a run there is one neighbour; without any, nothing explains the movement.
    n_known = np.count_nonzero(~np.isnan(beside), axis=0)
    around = np.nansum(beside, axis=0) / np.maximum(n_known, 1)
    alone = np.zeros((len(motion), 3), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        for number, part in enumerate((_NOSE, _CENTRE, _EDGE)):
            explained = np.sum(around[:, part] * speed[:, part], axis=1)
            alone[ticks, number] = explained < min_steadiness * np.sum(speed[:, part] ** 2, axis=1)
    return alone


def steady(motion: Float32Array, limit: float, min_steadiness: float) -> BoolArray:
    """Return (T,) whether all movements of a tick that are over the limit go on in the direction of their neighbours.

    Args:
        motion: (T, 5) from `face_moves`.
        limit: largest movement that needs no neighbours, face widths.
        min_steadiness: as in `JitterSettings`.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(~((part_lengths(motion) > limit) & unexplained(motion, min_steadiness)).any(axis=1))


def jitter(
    step: Float32Array, is_steady: BoolArray, breaks: BoolArray, limit: float, settings: JitterSettings
) -> Verdict:
    """Drop ticks next to a step over the limit that is no part of a steady motion.

    Args:
        step: (T,) step from the tick before, face widths; NaN where there is none.
        is_steady: (T,) whether it goes on in the direction of its neighbours, from `steady`.
        breaks: (T,) as for `face_moves`; a guard does not reach over a break.
        limit: largest accepted step.
        settings: how far a steady step may go, and the guard.

    Returns:
        value: the largest step that touches the tick or its guard.
    """
    with np.errstate(invalid="ignore"):
        shakes = (step > limit) & (~is_steady | (step > settings.steady_factor * limit))
    value = np.full(len(step), np.nan, dtype=np.float32)
    failed = np.zeros(len(step), dtype=np.bool_)
    shot = np.cumsum(breaks)
    # A step into tick k belongs to both k - 1 and k; the guard widens that on either side.
    for shift in range(-settings.guard_ticks - 1, settings.guard_ticks + 1):
        src = np.arange(max(0, -shift), min(len(step), len(step) - shift))
        src = src[shot[src] == shot[src + shift]]
        value[src + shift] = np.fmax(value[src + shift], step[src])
        failed[src + shift] |= shakes[src]
    return Verdict(value=value, failed=failed, limit=limit)


@register(name="jitter", settings=JitterSettings, words="move of the face within a tick", unit="face widths")
def _judge(video: MeasuredVideo, settings: JitterSettings) -> Verdicts:
    motion = measured_moves(video.face, video.breaks)
    step = step_of(motion)
    limits: dict[Tier, float] = {"diffusion": settings.strict_step, "vae": settings.loose_step}
    return {
        tier: jitter(step, steady(motion, limit, settings.min_steadiness), video.breaks, limit, settings)
        for tier, limit in limits.items()
    }
