"""Identity similarity, CSIM: how much generated frames look like the person of the reference.

Zakharov et al., "Few-Shot Adversarial Learning of Realistic Neural Talking Head Models", 2019: the cosine
of descriptors of a face recognition network, customarily that of Deng et al., "ArcFace", 2019,

    CSIM = 1 / T sum_t (g_t . r_t) / (|g_t| |r_t|).

The network is the caller's: ArcFace (`w600k_r50`) for comparison with the literature, or dlib's descriptor, whose
threshold is a Euclidean distance of 0.6 and whose cosines are high for anybody. Figures of two networks are never
comparable.
"""

import numpy as np

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from training.evaluation.frame_mean import FrameMean, mean_over_frames

__all__ = ["identity_similarity"]


def identity_similarity(generated_TD: Float32Array, reference_TD: Float32Array) -> FrameMean:
    """Return the mean cosine of descriptors, from -1 to 1.

    Args:
        generated_TD: (T, D) descriptors of the generated frames; NaN where a frame has no face.
        reference_TD: (T, D) those of the true frames, or (1, D) that of the reference picture for all frames.

    Raises:
        UsageError: the shapes do not fit.
    """
    fits = generated_TD.ndim == reference_TD.ndim == 2 and generated_TD.shape[1] == reference_TD.shape[1]
    if not fits or len(reference_TD) not in (1, len(generated_TD)):
        raise UsageError(
            f"descriptors of shape {generated_TD.shape} and {reference_TD.shape} cannot be compared; give (T, D) and "
            "as many, or (1, D), of one network"
        )
    generated, reference = generated_TD.astype(np.float64), reference_TD.astype(np.float64)
    lengths = np.linalg.norm(generated, axis=1) * np.linalg.norm(reference, axis=1)
    # a descriptor without length has no direction; it counts as missing
    return mean_over_frames((generated * reference).sum(axis=1) / np.where(lengths == 0.0, np.nan, lengths))
