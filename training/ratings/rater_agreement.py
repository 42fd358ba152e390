"""Agreement of raters: Krippendorff's alpha."""

import numpy as np

from foundation.array_types import Float64Array

__all__ = ["krippendorff_alpha"]


def krippendorff_alpha(grades: Float64Array) -> float:
    """Return how far raters agree, by Krippendorff's alpha for an interval scale.

    Alpha is 1 - D_o / D_e, of squared differences between pairs of grades (Krippendorff, Computing Krippendorff's
    Alpha-Reliability, 2011). D_o is observed within videos: of a video with m grades, the sum over its ordered pairs,
    divided by m - 1; these are added up and divided by n, the number of grades. D_e is what chance would give: the
    mean over all ordered pairs of the n grades. Videos with fewer than two grades count nowhere, so that not everyone
    has to rate everything. The scale is taken as an interval scale, because mean opinion scores take it so.

    1 is full agreement, 0 what chance gives, below 0 systematic disagreement. Alpha falls where all videos are equally
    good, for then only noise is left to differ: compare it between criteria with that in mind.

    Args:
        grades: (R, U) of each rater for each video of each system; NaN: not rated.

    Returns:
        At most 1; NaN where no video has two grades, or all grades are the same.

    >>> krippendorff_alpha(np.array([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    1.0
    """
    counts: Float64Array = np.isfinite(grades).sum(axis=0).astype(np.float64)
    pairable, counts = grades[:, counts >= 2], counts[counts >= 2]
    n = counts.sum()
    if n == 0:
        return float("nan")
    known = np.isfinite(pairable)
    # from the mean, which changes no difference and keeps the squares small
    centred = np.where(known, pairable - pairable[known].mean(), 0.0)
    squares, sums = (centred**2).sum(axis=0), centred.sum(axis=0)
    observed = float(np.sum(2.0 * (counts * squares - sums**2) / (counts - 1.0)) / n)
    expected = float(2.0 * (n * squares.sum() - sums.sum() ** 2) / (n * (n - 1.0)))
    return 1.0 - observed / expected if expected > 0.0 else float("nan")
