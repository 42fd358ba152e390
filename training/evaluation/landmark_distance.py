"""Average keypoint distance, AKD: how far landmarks of generated frames are from those of the true ones.

Siarohin et al., "First Order Motion Model for Image Animation", 2019, and Wang et al., 2021b, whom GAIA cites in 5.1.
With p_tk the landmark k that a detector finds in frame t of the generated video and q_tk that of the true one, K
landmarks and T frames,

    AKD = 1 / (T K) sum_t sum_k | p_tk - q_tk |.

Two readings of the distance are in use. `euclidean` is the length of the difference. `coordinates` is the mean over x
and y of its absolute values, which the published script of Siarohin et al. computes; for a shift along x alone it is
half as long. The literature has pictures of 256x256 pixels and 68 landmarks; with another number of landmarks, such as
478, figures are comparable with each other only. Distances are brought to a picture of 256 pixels.

Frames without a face, whose landmarks are NaN, in either video are left out and counted.

Shapes: T frames, K landmarks.
"""

from typing import Literal

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from foundation.errors import UsageError
from foundation.text import count_text
from manifests.landmarks import LandmarkScheme
from training.evaluation.frame_mean import FrameMean, mean_over_frames

__all__ = ["Distance", "average_keypoint_distance", "checked_pair"]

Distance = Literal["euclidean", "coordinates"]

_LITERATURE_PX = 256.0
"""Width of the pictures of the literature."""


def average_keypoint_distance(
    generated_TK2: Float32Array,
    truth_TK2: Float32Array,
    scheme: LandmarkScheme,
    *,
    width_px: int,
    distance: Distance = "euclidean",
) -> FrameMean:
    """Return the AKD in pixels of a picture 256 pixels wide.

    Args:
        generated_TK2: (T, K, 2) landmarks of `scheme`, pixels; NaN where a frame has no face.
        truth_TK2: likewise, of the true frames.
        scheme: numbering of the landmarks, `mediapipe478` or, for comparison with the literature, `ibug68`.
        width_px: width of the pictures in which the landmarks were found.
        distance: which of the two readings.

    Raises:
        UsageError: the arrays have another shape.
    """
    difference_TK2 = checked_pair(generated_TK2, truth_TK2, scheme, width_px)
    if distance == "euclidean":
        return mean_over_frames(np.linalg.norm(difference_TK2, axis=-1).mean(axis=-1))
    return mean_over_frames(np.abs(difference_TK2).mean(axis=(-1, -2)))


def checked_pair(
    generated_TK2: Float32Array, truth_TK2: Float32Array, scheme: LandmarkScheme, width_px: int
) -> Float64Array:
    """Return (T, K, 2) differences of two videos' landmarks in pixels of a picture 256 pixels wide.

    Raises:
        UsageError: the arrays have another shape, or the width is not positive.
    """
    expected = (len(truth_TK2), scheme.n_points, 2)
    for name, landmarks in (("generated", generated_TK2), ("true", truth_TK2)):
        if landmarks.shape != expected:
            raise UsageError(
                f"{name} landmarks have the shape {landmarks.shape}; of {count_text(len(truth_TK2), 'frame')} and the "
                f"scheme {scheme.name} it is {expected}"
            )
    if width_px < 1:
        raise UsageError(f"pictures of {width_px} pixels have no landmarks: give the width of the pictures")
    return (generated_TK2.astype(np.float64) - truth_TK2) * (_LITERATURE_PX / width_px)
