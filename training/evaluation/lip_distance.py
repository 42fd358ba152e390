"""Lip landmark distance, LMD: how far generated lips are from the true ones, wherever the head is.

Chen et al., "Lip Movements Generation at a Glance", 2018: with p_tk and q_tk the landmark k of the lips in frame t of
the generated and of the true video, each relative to the mean of the lip landmarks of its frame,

    LMD = 1 / T 1 / K sum_t sum_k || p_tk - q_tk ||.

The lips are the 20 points 49 to 68 of 68 landmarks, or the outer and inner contour of 478. Distances are in pixels of a
picture 256 pixels wide. Rotation and size of the head are left in, as there. Frames without a face are left out and
counted.
"""

import numpy as np

from foundation.array_types import Float32Array
from manifests.landmarks import LandmarkScheme
from training.evaluation.frame_mean import FrameMean, mean_over_frames
from training.evaluation.landmark_distance import checked_pair

__all__ = ["lip_landmark_distance"]


def lip_landmark_distance(
    generated_TK2: Float32Array, truth_TK2: Float32Array, scheme: LandmarkScheme, *, width_px: int
) -> FrameMean:
    """Return the LMD in pixels of a picture 256 pixels wide.

    Args:
        generated_TK2: (T, K, 2) landmarks of `scheme`, pixels; NaN where a frame has no face.
        truth_TK2: likewise, of the true frames.
        scheme: numbering of the landmarks.
        width_px: width of the pictures in which the landmarks were found.

    Raises:
        UsageError: the arrays have another shape.
    """
    lips = [*scheme.outer_lips, *scheme.inner_lips]
    difference_TL2 = checked_pair(generated_TK2, truth_TK2, scheme, width_px)[:, lips]
    difference_TL2 -= difference_TL2.mean(axis=1, keepdims=True)
    return mean_over_frames(np.linalg.norm(difference_TL2, axis=-1).mean(axis=-1))
