"""Motion stability index, MSI: how free of jitter the lips move (Ling et al., "StableFace", arXiv 2208.13717, 2022).

GAIA reports it (5.1) without a formula. Ling et al. compute it "by calculating the reciprocal of variance acceleration"
of landmarks (abstract). What these words leave open is taken from a published script of theirs:

1. The landmarks of a video are scaled by one factor, so that the mean distance of the corners of the mouth over the
   first 10 frames is 64 pixels, a quarter of a picture of 256.
2. Velocity and acceleration are differences from frame to frame, v_t = x_{t+1} - x_t and a_t = v_{t+1} - v_t, for x and
   y separately: 2 fewer than frames. They are not divided by time, so the index belongs to 25 frames a second.
3. Windows of 12 accelerations begin at every sixth. A window that reaches beyond the end has what is left; one of a
   single acceleration has the variance 0. It is kept, so that the figures are those of the script.
4. In a window, MSI = mean over landmarks and over x and y of 1 / (variance + 0.5); the variance is divided by n.
5. The index of the video is the mean over its windows. It is at most 2, of a face that does not accelerate.

Ours: the landmarks. The script takes 17 points of the lips of a tool with 669 points, which is not public. Here they
are the outer and inner contour of the lips in the scheme of the dataset, so figures are comparable with each other, and
with published ones in their order only. Also ours: a frame without a face ends a stretch; every stretch of at least 14
frames, which give a full window, is measured with its own scale, and the windows of all stretches are averaged.
"""

from dataclasses import dataclass

import numpy as np

from foundation.array_types import BoolArray, Float32Array, Float64Array
from foundation.errors import UsageError
from manifests.landmarks import KEY_POINT_NAMES, LandmarkScheme

__all__ = ["MotionStability", "motion_stability"]

_WINDOW = 12
"""Accelerations in a window, half a second at 25 frames a second."""

_SMALLEST_VARIANCE = 0.5
"""Added to each variance, pixels squared of step 1."""

_MOUTH_PX = 64.0

_SCALE_FRAMES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionStability:
    """MSI of a video."""

    msi: float | None
    """From 0, all jitter, to 2; None where no stretch with a face has 14 frames."""
    n_frames: int
    """Frames that were measured."""
    n_missing: int
    """Frames without a face, and those of stretches that are too short."""


def motion_stability(landmarks_TK2: Float32Array, scheme: LandmarkScheme) -> MotionStability:
    """Return the motion stability index of the lips.

    Args:
        landmarks_TK2: (T, K, 2) landmarks of `scheme` at 25 frames a second; NaN where a frame has no face.
        scheme: numbering of the landmarks.

    Raises:
        UsageError: the array has another shape, or a mouth has no width.
    """
    if landmarks_TK2.shape[1:] != (scheme.n_points, 2):
        raise UsageError(
            f"landmarks have the shape {landmarks_TK2.shape}; "
            f"of the scheme {scheme.name} it is (T, {scheme.n_points}, 2)"
        )
    windows: list[float] = []
    n_frames = 0
    for stretch in _stretches(np.isfinite(landmarks_TK2.sum(axis=(1, 2)))):
        windows += _window_indices(landmarks_TK2[stretch].astype(np.float64), scheme)
        n_frames += stretch.stop - stretch.start
    msi = float(np.mean(windows)) if windows else None
    return MotionStability(msi=msi, n_frames=n_frames, n_missing=len(landmarks_TK2) - n_frames)


def _stretches(seen_T: BoolArray) -> list[slice]:
    """Return the stretches of true values that are long enough for a full window."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen_T, [False]]).astype(np.int8)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [slice(begin, end) for begin, end in pairs if end - begin >= _WINDOW + 2]


def _window_indices(landmarks_TK2: Float64Array, scheme: LandmarkScheme) -> list[float]:
    """Return the index of each window of a stretch."""
    right, left = (scheme.key_point_indices[KEY_POINT_NAMES.index(name)] for name in ("mouth_right", "mouth_left"))
    first = landmarks_TK2[:_SCALE_FRAMES]
    mouth_px = float(np.linalg.norm(first[:, right] - first[:, left], axis=-1).mean())
    if mouth_px == 0.0:
        raise UsageError("the corners of the mouth are one point, so the landmarks have no scale: give those of a face")
    lips_TL2 = landmarks_TK2[:, [*scheme.outer_lips, *scheme.inner_lips]] * (_MOUTH_PX / mouth_px)
    acceleration_AL2 = np.diff(lips_TL2, n=2, axis=0)
    starts = range(0, len(acceleration_AL2), _WINDOW // 2)
    variances = [acceleration_AL2[start : start + _WINDOW].var(axis=0) for start in starts]
    return [float((1.0 / (variance + _SMALLEST_VARIANCE)).mean()) for variance in variances]
