"""Rule `still_face`: the face moves, so that it can be the one that speaks (GAIA appendix A.1, third policy).

A photograph with a voice-over passes every other rule: it is frontal, it does not shake, and the voice is heard.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.runs import true_runs
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array, Float64Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ

__all__ = ["StillFaceSettings", "face_motion", "own_shape", "still_face"]

_PLAIN_FACE = np.array(
    [(0.0, 0.02), (-0.32, -0.26), (-0.12, -0.25), (0.12, -0.25), (0.32, -0.26), (-0.18, 0.23), (0.18, 0.23),
     (0.0, 0.22), (0.0, 0.27)]
)  # fmt: skip
"""(9, 2) key points of a frontal face at rest, in face widths, y down: the mean of real ones, made symmetric. To which
face the others are brought does not change what remains of a motion, only the unit in which it is counted."""

_SMOOTH_TICKS = 3
"""Width of the running mean that takes out the noise of single landmarks; speech moves the lips more slowly."""


class StillFaceSettings(Settings):
    """Settings of the rule `still_face`."""

    min_motion: float = Field(default=0.003, ge=0.0)
    """Least motion of a face that speaks, face widths. Ours: photographs reach 0.0025, even noisy, panned or held in
    a hand; the stillest 2 s of real speakers have 0.0038 (benchmarks/results/2026-11-still-face.md). 0 accepts still
    faces."""
    window_s: float = Field(default=2.0, ge=1.0, le=10.0)
    """A face without motion for this long is still, seconds. Ours: twice the longest pause that belongs to speech."""
    picture_s: float = Field(default=6.0, ge=1.0)
    """A face that is seen for at least this long and never moves is a picture, seconds: it is no second face beside one
    that lives. Ours: listeners hold still for 4.7 s in real films, and for 10 s in none."""

    @property
    def window_ticks(self) -> int:
        """`window_s` in ticks."""
        return round(self.window_s * TICK_RATE_HZ)


def own_shape(key_points_px: Float32Array) -> Float64Array:
    """Return the key points without the motion of head and camera.

    The affine map that brings the nine points closest to those of a plain face is applied to them. It takes out
    shifts, turns, zooms and shears, which are all that a moved photograph shows; a mouth that opens is left.

    Args:
        key_points_px: (N, 9, 2) in the order of `manifests.landmarks.KEY_POINT_NAMES`; NaN without a face.

    Returns:
        (N, 9, 2) face widths around 0; NaN without a face, and where the points lie on a line.
    """
    points = key_points_px.astype(np.float64)
    points -= points.mean(axis=1, keepdims=True)
    plain = _PLAIN_FACE - _PLAIN_FACE.mean(axis=0)
    xx, yy = (points[..., 0] ** 2).sum(axis=1), (points[..., 1] ** 2).sum(axis=1)
    xy = (points[..., 0] * points[..., 1]).sum(axis=1)
    determinant = xx * yy - xy**2
    inverse = np.stack([yy, -xy, -xy, xx], axis=1).reshape(-1, 2, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        # a line has a determinant of 0 but for rounding
        inverse /= np.where(determinant > 1e-6 * (xx + yy) ** 2, determinant, np.nan)[:, None, None]
    shape: Float64Array = points @ (inverse @ (points.transpose(0, 2, 1) @ plain))
    return shape


def face_motion(shape: Float64Array, breaks: BoolArray, window_ticks: int) -> Float32Array:
    """Return how much a face moves in itself in its stillest stretch around each tick.

    The motion in a stretch is the standard deviation of the nine points over its ticks, root mean square over the
    points.

    Args:
        shape: (T, 9, 2) from `own_shape`.
        breaks: (T,) True where the face is not that of the tick before.
        window_ticks: length of a stretch; where a face is seen for a shorter time, at least a second, that is one.

    Returns:
        (T,) the least motion of all stretches that contain the tick, face widths; NaN without a face, and where it is
        seen for less than a second.
    """
    motion = np.full(len(shape), np.nan, dtype=np.float32)
    for first, end in true_runs(~np.isnan(shape[:, 0, 0]), breaks):
        if end - first >= TICK_RATE_HZ:
            motion[first:end] = _least_motion(shape[first:end].reshape(end - first, -1), min(window_ticks, end - first))
    return motion


def _least_motion(points: Float64Array, window: int) -> Float64Array:
    """Return (n,) the least motion of all windows of n >= `window` rows that contain a row."""
    smooth = sliding_window_view(points, _SMOOTH_TICKS, axis=0).mean(axis=-1)
    smooth -= smooth.mean(axis=0)  # keeps the squares small
    length = window - _SMOOTH_TICKS + 1
    sums, squares = (np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0) for values in (smooth, smooth**2))
    mean = (sums[length:] - sums[:-length]) / length
    variance = np.maximum((squares[length:] - squares[:-length]) / length - mean**2, 0.0).sum(axis=1)
    motion = np.sqrt(variance / (points.shape[1] // 2))
    padded = np.pad(motion, window - 1, constant_values=np.inf)
    least: Float64Array = sliding_window_view(padded, window).min(axis=1)
    return least


def still_face(motion: Float32Array, settings: StillFaceSettings) -> Verdict:
    """Drop ticks within a stretch in which the face does not move in itself.

    Args:
        motion: (T,) from `face_motion`.
        settings: least motion.

    Returns:
        value: the motion.
    """
    with np.errstate(invalid="ignore"):
        return Verdict(value=motion, failed=motion < settings.min_motion, limit=settings.min_motion)


@register(
    name="still_face",
    settings=StillFaceSettings,
    words="motion of the face without that of the head",
    unit="face widths",
    keeps="at least",
)
def _judge(video: MeasuredVideo, settings: StillFaceSettings) -> Verdicts:
    motion = face_motion(own_shape(video.face.key_points_px), video.breaks, settings.window_ticks)
    return {"diffusion": still_face(motion, settings)}
