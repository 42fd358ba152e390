"""Correlation of the mouth's opening with the true one: whether lips open when they should, however far.

The opening is the distance of the inner lips in the middle, divided by that of the outer corners of the eyes, so that
neither the size of the face in the picture nor its distance counts. Of a video it is Pearson's correlation of the
generated and the true opening over frames: 1 for lips that move as the true ones do, however much, 0 for lips that
know nothing of the speech. Ours; Sync-D and Sync-C judge lips against sound, this against the lips of the same speech.
Frames without a face in either video are left out and counted.
"""

import numpy as np

from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.landmarks import KEY_POINT_NAMES, LandmarkScheme, key_points
from training.evaluation.frame_mean import FrameMean
from training.evaluation.landmark_distance import checked_pair

__all__ = ["mouth_correlation", "mouth_opening"]

_FEWEST_FRAMES = 3
"""Two frames always correlate by 1 or -1."""

_LEAST_SPREAD = 1e-4
"""Standard deviation of the opening, in distances of the eyes, below which a mouth is still: a hundredth of a pixel of
a face of 100 pixels."""


def mouth_opening(landmarks_TK2: Float32Array, scheme: LandmarkScheme) -> Float64Array:
    """Return (T,) the opening of the mouth in distances of the outer corners of the eyes; NaN without a face.

    Args:
        landmarks_TK2: (T, K, 2) landmarks of `scheme`, pixels; NaN where a frame has no face.
        scheme: numbering of the landmarks.
    """
    points_T92 = key_points(landmarks_TK2, scheme).astype(np.float64)
    point = {name: points_T92[:, number] for number, name in enumerate(KEY_POINT_NAMES)}
    eyes_T = np.linalg.norm(point["left_eye_outer"] - point["right_eye_outer"], axis=-1)
    lips_T = np.linalg.norm(point["inner_lip_top"] - point["inner_lip_bottom"], axis=-1)
    return np.where(eyes_T > 0.0, lips_T / np.where(eyes_T > 0.0, eyes_T, 1.0), np.nan)


def mouth_correlation(generated_TK2: Float32Array, truth_TK2: Float32Array, scheme: LandmarkScheme) -> FrameMean:
    """Return the correlation, -1 to 1, in place of a mean; None where either mouth is still, or 3 frames are not seen.

    Args:
        generated_TK2: (T, K, 2) landmarks of `scheme`, pixels; NaN where a frame has no face.
        truth_TK2: likewise, of the true frames.
        scheme: numbering of the landmarks.

    Raises:
        UsageError: the arrays have another shape.
    """
    checked_pair(generated_TK2, truth_TK2, scheme, width_px=1)
    generated_T, truth_T = mouth_opening(generated_TK2, scheme), mouth_opening(truth_TK2, scheme)
    seen_T: BoolArray = np.isfinite(generated_T) & np.isfinite(truth_T)
    n_frames = int(seen_T.sum())
    correlation = _pearson(generated_T[seen_T], truth_T[seen_T])
    return FrameMean(mean=correlation, n_frames=n_frames, n_missing=len(seen_T) - n_frames)


def _pearson(first_T: Float64Array, second_T: Float64Array) -> float | None:
    if len(first_T) < _FEWEST_FRAMES or min(first_T.std(), second_T.std()) < _LEAST_SPREAD:
        return None
    return float(np.corrcoef(first_T, second_T)[0, 1])
