"""Motion diversity: how much a video moves, and how much several videos of one speech differ.

GAIA has raters judge it (5.1, "motion diversity"); there is no formula. Two measures are in use, and both are here.

`motion_spread` follows Zhang et al., "SadTalker", 2023b in GAIA's list: the standard deviation over time of each
component of the motion, averaged over components. There the motion is a feature of a pose network; here it is what the
caller gives, such as yaw, pitch and roll in degrees. A still head has 0. Jitter raises it as much as gestures do, so it
is read beside the MSI.

`sample_diversity` is the "multimodality" of Guo et al., "Action2Motion", 2020: the mean distance of the motions of two
samples that were generated from one condition, here one speech,

    2 / (N (N - 1)) sum_{i < j} sqrt(1 / (T D) sum_t sum_d (x_itd - x_jtd)^2),

a root mean square per component, so that it does not grow with the length. A model that ignores its noise has 0.
"""

from itertools import combinations

import numpy as np

from foundation.array_types import Float32Array
from foundation.errors import UsageError

__all__ = ["motion_spread", "sample_diversity"]


def motion_spread(motion_TD: Float32Array) -> float | None:
    """Return the standard deviation over time, averaged over components; None with fewer than two measured frames.

    Args:
        motion_TD: (T, D) motion, in units of the caller; rows with NaN, of frames without a face, are left out.

    Raises:
        UsageError: the array has another shape.

    >>> motion_spread(np.array([[0.0, 5.0], [2.0, 5.0]], np.float32))
    0.5
    """
    if motion_TD.ndim != 2 or not motion_TD.shape[1]:
        raise UsageError(f"motion has the shape {motion_TD.shape}; give (T, D) numbers, a row a frame")
    measured = motion_TD[np.isfinite(motion_TD).all(axis=1)].astype(np.float64)
    return float(measured.std(axis=0).mean()) if len(measured) > 1 else None


def sample_diversity(motions_NTD: Float32Array) -> float:
    """Return the mean distance of two of N samples of one speech.

    Args:
        motions_NTD: (N, T, D) motions of samples that differ in their noise alone; every number finite.

    Raises:
        UsageError: the array has another shape, fewer than two samples, or a number that is not finite.
    """
    if motions_NTD.ndim != 3 or len(motions_NTD) < 2 or not motions_NTD.size:
        raise UsageError(f"motions have the shape {motions_NTD.shape}; give (N, T, D) of at least two samples")
    if not np.isfinite(motions_NTD).all():
        raise UsageError("motions hold numbers that are not finite; leave out the frames without a face in all samples")
    pairs = combinations(motions_NTD.astype(np.float64), 2)
    return float(np.mean([np.sqrt(np.mean((first - second) ** 2)) for first, second in pairs]))
