"""FID: Frechet distance of the features of generated and true pictures (Heusel et al., 2017, equation 6).

With the mean m and the covariance C (divided by n - 1) of the features of each set,

    FID = |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)),

computed in double precision; the trace of the root is the sum of the square roots of the eigenvalues of
C^(1/2) C' C^(1/2), which is symmetric. `FeatureMoments` are merged batch by batch (Chan, Golub and LeVeque, 1983), so
memory does not grow with the number of pictures.

FID from few pictures is too high (Chong and Forsyth, 2020): two samples of one distribution do not have 0, and with
fewer pictures than features, 2,048, a covariance lacks most of its directions. So figures of different numbers of
pictures cannot be compared, and the number belongs to the figure: `FidEstimate` has it. Its bias and interval are by
bootstrap (Efron, 1979) over videos, since frames of one video are alike and are no independent pictures: each replicate
draws as many videos with replacement from either side. The bias is the mean of the replicates less the estimate, which
estimates how much too high the figure is. The interval is the estimate plus and minus 1.96 standard deviations of the
replicates: it says how the figure varies with the choice of videos, and does not hold the figure of endless pictures.
Percentiles of the replicates are not taken: with few videos they all lie above the estimate.

Shapes: N pictures, D features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import starmap

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from foundation.errors import UsageError
from foundation.text import count_text

__all__ = [
    "FeatureMoments",
    "FidEstimate",
    "feature_moments",
    "fid_with_interval",
    "frechet_distance",
    "merged_moments",
]

_DEVIATIONS_OF_95_PERCENT = 1.96


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class FeatureMoments:
    """Number, mean and scatter of feature vectors."""

    n: int
    mean_D: Float64Array
    scatter_DD: Float64Array
    """Sum of the outer products of deviations from the mean; over n - 1 it is the covariance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FidEstimate:
    """FID with what is needed to judge it."""

    fid: float
    n_generated: int
    """Generated pictures."""
    n_true: int
    """True pictures."""
    bias: float
    """By how much replicates exceed the estimate on average."""
    low: float
    high: float
    """Ends of the 95 % interval; `low` is at least 0."""


def feature_moments(features_ND: Float32Array) -> FeatureMoments:
    """Return the moments of (N, D) features.

    Raises:
        UsageError: the array has another shape, no rows, or a number that is not finite.
    """
    if features_ND.ndim != 2 or not len(features_ND):
        raise UsageError(f"features have the shape {features_ND.shape}; give (N, D) of at least one picture")
    features = features_ND.astype(np.float64)
    if not np.isfinite(features).all():
        raise UsageError("features hold numbers that are not finite, so they have no mean: compute them anew")
    mean_D = features.mean(axis=0)
    deviations = features - mean_D
    return FeatureMoments(n=len(features), mean_D=mean_D, scatter_DD=deviations.T @ deviations)


def merged_moments(first: FeatureMoments, second: FeatureMoments) -> FeatureMoments:
    """Return the moments of both sets together.

    Raises:
        UsageError: they have other numbers of features.
    """
    _check_features(first, second)
    n = first.n + second.n
    difference_D = second.mean_D - first.mean_D
    between_DD = np.outer(difference_D, difference_D) * (first.n * second.n / n)
    return FeatureMoments(
        n=n,
        mean_D=first.mean_D + difference_D * (second.n / n),
        scatter_DD=first.scatter_DD + second.scatter_DD + between_DD,
    )


def frechet_distance(generated: FeatureMoments, truth: FeatureMoments) -> float:
    """Return the Frechet distance of two sets of features.

    Raises:
        UsageError: they have other numbers of features, or one has a single picture, which has no covariance.
    """
    _check_features(generated, truth)
    for moments in (generated, truth):
        if moments.n < 2:
            raise UsageError("FID needs the covariance of either set of pictures: give at least two pictures of each")
    ours_DD, theirs_DD = (moments.scatter_DD / (moments.n - 1) for moments in (generated, truth))
    values_D, vectors_DD = np.linalg.eigh(ours_DD)
    root_DD = (vectors_DD * np.sqrt(values_D.clip(min=0.0))) @ vectors_DD.T
    # rounding makes eigenvalues of 0 slightly negative
    root_trace = np.sqrt(np.linalg.eigvalsh(root_DD @ theirs_DD @ root_DD).clip(min=0.0)).sum()
    means = float(np.sum((generated.mean_D - truth.mean_D) ** 2))
    return max(means + float(np.trace(ours_DD) + np.trace(theirs_DD) - 2.0 * root_trace), 0.0)


def fid_with_interval(
    generated: Sequence[Float32Array], truth: Sequence[Float32Array], *, seed: int, replicates: int = 50
) -> FidEstimate:
    """Return FID with its bias and interval.

    Args:
        generated: (N, D) features of the pictures of each generated video. Arrays that are mapped from files are read
            one at a time, once for each time that a replicate draws them.
        truth: likewise, of the true videos; as many or not.
        seed: of the draws.
        replicates: each costs as much as one FID.

    Raises:
        UsageError: a side has fewer than two videos, or the features cannot be used.
    """
    if min(len(generated), len(truth)) < 2 or replicates < 2:
        raise UsageError(
            f"{len(generated)} generated and {len(truth)} true videos in {replicates} replicates have no interval; "
            "give at least two of each"
        )
    of_all = (_moments_of(generated, range(len(generated))), _moments_of(truth, range(len(truth))))
    fid = frechet_distance(*of_all)
    random = np.random.default_rng(seed)
    draws = (
        (_moments_of(generated, _drawn(random, len(generated))), _moments_of(truth, _drawn(random, len(truth))))
        for _ in range(replicates)
    )
    found = np.array(list(starmap(frechet_distance, draws)))
    reach = _DEVIATIONS_OF_95_PERCENT * float(found.std(ddof=1))
    return FidEstimate(
        fid=fid,
        n_generated=of_all[0].n,
        n_true=of_all[1].n,
        bias=float(found.mean()) - fid,
        low=max(fid - reach, 0.0),
        high=fid + reach,
    )


def _drawn(random: np.random.Generator, n: int) -> list[int]:
    return [int(number) for number in random.integers(n, size=n)]


def _moments_of(videos: Sequence[Float32Array], numbers: Sequence[int]) -> FeatureMoments:
    return reduce(merged_moments, (feature_moments(videos[number]) for number in numbers))


def _check_features(first: FeatureMoments, second: FeatureMoments) -> None:
    if first.mean_D.shape != second.mean_D.shape:
        raise UsageError(
            f"features of {len(first.mean_D)} and of {count_text(len(second.mean_D), 'number')} cannot be compared: "
            "take both from one network"
        )
