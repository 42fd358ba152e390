"""Mean opinion scores with intervals, and paired tests between systems.

Shapes: R raters, V videos, B bootstrap draws.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from foundation.array_types import Float64Array

__all__ = ["Estimate", "Resampling", "adjusted_by_holm", "mean_opinion", "paired_p", "resampling"]

_DRAWS = 4000

_SIGN_BLOCKS = 5
"""Blocks of as many changes of sign, tried one block after another: the smallest p is 1 / 20,001."""

_MOST_EXACT = 12
"""Videos up to which all signs are tried: 4096 of them."""

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; NaN where nothing was rated."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampling:
    """How often each rater and each video is in each draw of a bootstrap."""

    raters_BR: Float64Array
    videos_BV: Float64Array


def resampling(n_raters: int, n_videos: int, seed: int) -> Resampling:
    """Return draws with replacement of raters and, independently, of videos.

    Args:
        n_raters: at least 1.
        n_videos: at least 1.
        seed: of the draws.
    """
    draws = np.random.default_rng(seed)
    return Resampling(
        raters_BR=draws.multinomial(n_raters, np.full(n_raters, 1 / n_raters), _DRAWS).astype(np.float64),
        videos_BV=draws.multinomial(n_videos, np.full(n_videos, 1 / n_videos), _DRAWS).astype(np.float64),
    )


def mean_opinion(grades_RV: Float64Array, draws: Resampling) -> Estimate:
    """Return the mean of all grades, with an interval by bootstrap over raters and videos.

    A grade counts in a draw as often as its rater times as often as its video. So the interval is about other raters
    and other videos, not only about other grades of the same ones; it is somewhat too wide rather than too narrow
    (Owen, The pigeonhole bootstrap, 2007). Draws in which nothing was rated are left out.

    Args:
        grades_RV: grades, or differences of grades; NaN: not rated.
        draws: for these numbers of raters and videos.
    """
    known = np.isfinite(grades_RV)
    if not known.any():
        return Estimate(mean=float("nan"), low=float("nan"), high=float("nan"))
    total = ((draws.raters_BR @ np.where(known, grades_RV, 0.0)) * draws.videos_BV).sum(axis=1)
    weight = ((draws.raters_BR @ known.astype(np.float64)) * draws.videos_BV).sum(axis=1)
    low, high = np.percentile(total[weight > 0] / weight[weight > 0], (2.5, 97.5))
    return Estimate(mean=float(grades_RV[known].mean()), low=float(low), high=float(high))


def paired_p(differences_RV: Float64Array, seed: int) -> float:
    """Return the two-sided p of a test whether two systems differ, by changing signs of videos.

    If the systems are alike, the two results for a video may be exchanged, which changes the sign of all differences on
    it, of every rater. The p is the share of changes of sign under which the mean is at least as far from 0 as it is.
    All are tried for up to 12 videos, and 20,000 at random, with the given one added, for more. Grades of one video
    depend on each other, so that signs are changed by video; the raters are taken as given.

    Args:
        differences_RV: grade of one system less that of the other; NaN where either is missing.
        seed: of the signs.

    Returns:
        Above 0 and at most 1; NaN where nothing can be compared.
    """
    known = np.isfinite(differences_RV)
    if not known.any():
        return float("nan")
    sums: Float64Array = np.where(known, differences_RV, 0.0).sum(axis=0)[known.any(axis=0)]
    least = abs(sums.sum()) - _ROUNDING
    if len(sums) <= _MOST_EXACT:
        return float(np.mean(np.abs(np.array(list(product((-1.0, 1.0), repeat=len(sums)))) @ sums) >= least))
    draws = np.random.default_rng(seed)
    n_far = 0
    for _ in range(_SIGN_BLOCKS):
        signs = draws.integers(0, 2, size=(_DRAWS, len(sums)), dtype=np.int8) * 2 - 1
        n_far += int((np.abs(signs @ sums) >= least).sum())
    return (n_far + 1) / (_SIGN_BLOCKS * _DRAWS + 1)


def adjusted_by_holm(p_values: list[float]) -> list[float]:
    """Return p values adjusted for their number (Holm, 1979); those that are NaN stay so and do not count.

    >>> [round(p, 3) for p in adjusted_by_holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, p in enumerate(p_values) if np.isfinite(p)), key=lambda i: p_values[i])
    adjusted, least = list(p_values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, p_values[i] * (len(order) - rank)))
        adjusted[i] = least
    return adjusted
