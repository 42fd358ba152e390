"""Curve of the agreement of lips and sound over the lag between them: its peak, how sure it is, and the offset.

The table `frames` has 31 cosines a tick, `sync_scores`: between the lips of the tick and the sound `lag` ticks later.
Their mean over a stretch is its curve. Everything that is said of a stretch follows from these numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from manifests.schema.face_measures import SYNC_LAG_TICKS

__all__ = ["LAGS", "SURE_TICKS", "SURE_Z", "SyncCurve", "SyncSums", "confidences", "mean_curves", "pooled"]

LAGS: Int64Array = np.arange(-SYNC_LAG_TICKS, SYNC_LAG_TICKS + 1)
"""(31,) lags in ticks of 40 ms; at a positive one the sound comes later than the lips."""

SURE_Z = 4.5
"""From this z on an offset is sure, if it is the peak over `SURE_TICKS` or more: it errs by less than a tick."""

SURE_TICKS = 111
"""Five seconds, less seven ticks at either end that have no score."""

_LEAST_SHARE = 0.5
"""A lag that fewer of the ticks have is left out of the curve: near an end of the sound it rests on few ticks."""

_Counts = Int32Array | Int64Array


def mean_curves(total: Float64Array, count: _Counts, n_ticks: _Counts) -> Float32Array:
    """Return the (S, 31) means of S stretches, NaN at lags that were measured on too few ticks.

    Args:
        total: (S, 31) sums of the measured scores at each lag.
        count: (S, 31) ticks that have a score at the lag.
        n_ticks: (S,) ticks that have a score at any lag.
    """
    known = (count > 0) & (count >= _LEAST_SHARE * n_ticks[:, None])
    mean: Float32Array = np.where(known, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean


def confidences(mean: Float32Array) -> Float32Array:
    """Return the (S,) heights of the peaks of (S, 31) curves above their medians over the lags, NaN where all are."""
    ordered = np.sort(mean, axis=1)  # NaN comes last
    n_known, curve = np.count_nonzero(~np.isnan(mean), axis=1), np.arange(len(mean))
    lower, upper = ordered[curve, (n_known - 1) // 2], ordered[curve, n_known // 2]
    height: Float32Array = ordered[curve, n_known - 1] - (lower + upper) / np.float32(2.0)
    return height


@dataclass(frozen=True, eq=False)
class SyncCurve:
    """Mean agreement of lips and sound of a stretch, by lag."""

    mean: Float32Array
    """(31,) mean cosine at each of `LAGS`, NaN at lags that were measured on too few ticks; never NaN at all."""
    n_ticks: int
    """Ticks that it is the mean of."""

    @cached_property
    def _peak(self) -> int:
        """Place of the highest value."""
        return int(np.argmax(np.fmax(self.mean, -np.inf)))

    @property
    def peak_lag(self) -> int:
        """Lag of the highest value, ticks."""
        return int(LAGS[self._peak])

    @cached_property
    def confidence(self) -> float:
        """Height of the peak above the median over the lags."""
        return float(confidences(self.mean[None])[0])

    @property
    def z(self) -> float:
        """The confidence times the root of the number of ticks, so that one limit fits stretches of any length."""
        return self.confidence * float(np.sqrt(self.n_ticks))

    @property
    def offset_ticks(self) -> float:
        """Time by which the sound is late, ticks: the top of the parabola through the peak and the lags beside it."""
        peak = self._peak
        if not 0 < peak < len(LAGS) - 1:
            return float(LAGS[peak])
        before, top, after = (float(value) for value in self.mean[peak - 1 : peak + 2])
        bend = before - 2.0 * top + after
        if not bend < 0.0:  # a neighbour that was not measured, or three equal values
            return float(LAGS[peak])
        return float(LAGS[peak]) + 0.5 * (before - after) / bend


@dataclass(frozen=True, eq=False, slots=True)
class SyncSums:
    """Sums of the scores of a stretch, by which stretches are pooled."""

    total: Float64Array
    """(31,) sum of the measured scores at each lag."""
    count: Int64Array
    """(31,) number of ticks that have a score at the lag."""
    n_ticks: int
    """Number of ticks that have a score at any lag."""

    @classmethod
    def of(cls, scores: Float32Array | npt.NDArray[np.float16]) -> "SyncSums":
        """Return the sums of (T, 31) scores, NaN where a lag was not measured.

        The scores are taken in half precision, as `frames` stores them, so that later decisions give the same numbers.
        """
        stored = scores.astype(np.float16, copy=False).astype(np.float64)
        measured = ~np.isnan(stored)
        return cls(
            total=np.where(measured, stored, 0.0).sum(axis=0),
            count=np.count_nonzero(measured, axis=0),
            n_ticks=int(np.count_nonzero(measured.any(axis=1))),
        )

    def curve(self) -> SyncCurve | None:
        """Return the mean over the ticks; None where nothing was measured.

        >>> scores = np.zeros((100, 31), np.float32)
        >>> scores[:, 17] = 0.5
        >>> curve = SyncSums.of(scores).curve()
        >>> curve.peak_lag, curve.confidence, curve.z, curve.offset_ticks
        (2, 0.5, 5.0, 2.0)
        """
        (mean,) = mean_curves(self.total[None], self.count[None], np.array([self.n_ticks]))
        return None if np.isnan(mean).all() else SyncCurve(mean, self.n_ticks)


def pooled(stretches: Iterable[SyncSums]) -> SyncSums:
    """Return the sums of several stretches as those of one."""
    total, count, n_ticks = np.zeros(len(LAGS)), np.zeros(len(LAGS), dtype=np.int64), 0
    for sums in stretches:
        total, count, n_ticks = total + sums.total, count + sums.count, n_ticks + sums.n_ticks
    return SyncSums(total, count, n_ticks)
