"""Sums of the scores of lips against sound over any stretches of a video, without adding up all of their ticks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foundation.array_types import BoolArray, Float16Array, Float32Array, Float64Array, Int32Array, Int64Array
from manifests.sync_curve import LAGS, SyncSums, mean_curves

__all__ = ["ScoreSums", "StretchSums", "sums_between"]

_BLOCK_TICKS = 16
"""Sums up to each block of so many ticks take 24 bytes a tick, where the scores take 62."""

_CHUNK_TICKS = 2048
"""Added up at once: in double precision they stay in the processor's cache."""

_CHUNK_STRETCHES = 64
"""The same of stretches, whose two edges have at most 30 ticks."""

_LARGEST = 2.0
"""Cosines are at most 1; what is above 2 is none."""


@dataclass(frozen=True, eq=False, slots=True)
class StretchSums:
    """Sums of the scores of S stretches, as `SyncSums` has those of one."""

    total: Float64Array
    """(S, 31) sums of the measured scores at each lag."""
    count: Int32Array
    """(S, 31) numbers of ticks that have a score at the lag."""
    n_ticks: Int32Array
    """(S,) numbers of ticks that have a score at any lag."""

    @classmethod
    def of_nothing(cls, n_stretches: int) -> "StretchSums":
        """Return the sums of S stretches in which nothing was measured."""
        shape = n_stretches, len(LAGS)
        return cls(np.zeros(shape), np.zeros(shape, np.int32), np.zeros(n_stretches, np.int32))

    def means(self) -> Float32Array:
        """Return the (S, 31) curves, NaN at lags that were measured on too few ticks."""
        return mean_curves(self.total, self.count, self.n_ticks)

    def pooled(self, places: Sequence[int]) -> SyncSums:
        """Return the sums of the stretches with these places among the S as those of one."""
        own = list(places)
        total, count = self.total[own].sum(axis=0), self.count[own].sum(axis=0, dtype=np.int64)
        return SyncSums(total, count, int(self.n_ticks[own].sum()))


@dataclass(frozen=True, eq=False, slots=True)
class ScoreSums:
    """Sums of the (T, 31) scores of a video up to each of its blocks, of which those of a stretch are differences.

    They are those of `SyncSums.of`, bit for bit: scores in half precision are multiples of 2**-24, so that a sum of up
    to 2**28 of them, each at most 2, fits the 53 bits of a double, and is never rounded. Of a video with a larger score
    each stretch is added up by itself.
    """

    scores: Float16Array
    """(T, 31), NaN where a lag was not measured."""
    before: StretchSums | None
    """Of all ticks before each block, and before what is left behind the last one; None: some score is above 2."""

    @classmethod
    def of(cls, scores: Float16Array) -> "ScoreSums":
        """Return the sums of (T, 31) scores."""
        before = StretchSums.of_nothing(len(scores) // _BLOCK_TICKS + 1)
        for first in range(0, len(scores), _CHUNK_TICKS):
            values, measured = _numbers(scores[first : first + _CHUNK_TICKS])
            if max(values.max(), -values.min()) > _LARGEST:
                return cls(scores, None)
            n_blocks = len(values) // _BLOCK_TICKS
            whole, shape = n_blocks * _BLOCK_TICKS, (n_blocks, _BLOCK_TICKS, len(LAGS))
            block = first // _BLOCK_TICKS + 1
            own = slice(block, block + n_blocks)
            added = _added(values[:whole].reshape(shape), measured[:whole].reshape(shape))
            before.total[own], before.count[own], before.n_ticks[own] = added.total, added.count, added.n_ticks
        for sums in (before.total, before.count, before.n_ticks):
            np.cumsum(sums, axis=0, out=sums)
        return cls(scores, before)

    def outlined(self, ranges: Int64Array) -> tuple[StretchSums, Float16Array]:
        """Return what the sums over half-open (S, 2) ranges of ticks consist of.

        Returns:
            The sums from the block of each first tick to that of the end, and the (S, 2, 15, 31) scores from the block
            on before the first tick, which are too many in them, and before the end, which they lack; the others NaN.
        """
        block = ranges // _BLOCK_TICKS
        tick = block[:, :, None] * _BLOCK_TICKS + np.arange(_BLOCK_TICKS - 1)
        edges = self.scores.take(tick, axis=0, mode="clip")
        if self.before is None:
            edges[...] = np.nan
            return _plain(self.scores, ranges), edges
        edges[tick >= ranges[:, :, None]] = np.nan
        first, end = block.T
        total, count, n_ticks = self.before.total, self.before.count, self.before.n_ticks
        return StretchSums(total[end] - total[first], count[end] - count[first], n_ticks[end] - n_ticks[first]), edges


def sums_between(videos: Sequence[tuple[ScoreSums | None, Int64Array]]) -> StretchSums:
    """Return the sums over half-open ranges of ticks of one video or more, one after the other.

    Args:
        videos: the scores of each, None where nothing was measured, and its (S, 2) ranges.
    """
    outlined = [_nothing(len(ranges)) if scores is None else scores.outlined(ranges) for scores, ranges in videos]
    sums = _joined([one for one, _ in outlined])
    edges = np.concatenate([one for _, one in outlined])
    for first in range(0, len(edges), _CHUNK_STRETCHES):
        own = slice(first, first + _CHUNK_STRETCHES)
        added = _added(*_numbers(edges[own].reshape(-1, _BLOCK_TICKS - 1, len(LAGS))))
        sums.total[own] += added.total[1::2] - added.total[::2]
        sums.count[own] += added.count[1::2] - added.count[::2]
        sums.n_ticks[own] += added.n_ticks[1::2] - added.n_ticks[::2]
    return sums


def _joined(parts: Sequence[StretchSums]) -> StretchSums:
    return StretchSums(
        np.concatenate([part.total for part in parts]),
        np.concatenate([part.count for part in parts]),
        np.concatenate([part.n_ticks for part in parts]),
    )


def _nothing(n_stretches: int) -> tuple[StretchSums, Float16Array]:
    edges = np.full((n_stretches, 2, _BLOCK_TICKS - 1, len(LAGS)), np.nan, np.float16)
    return StretchSums.of_nothing(n_stretches), edges


def _plain(scores: Float16Array, ranges: Int64Array) -> StretchSums:
    """Return the sums over (S, 2) ranges of ticks, each added up by itself."""
    sums = StretchSums.of_nothing(len(ranges))
    for place, (first, end) in enumerate(ranges.tolist()):
        own = SyncSums.of(scores[first:end])
        sums.total[place], sums.count[place], sums.n_ticks[place] = own.total, own.count, own.n_ticks
    return sums


def _numbers(scores: Float16Array) -> tuple[Float64Array, BoolArray]:
    """Return scores in double precision, 0 where none was measured, and where one was; both of the scores' shape."""
    values = scores.astype(np.float64)
    missing = np.isnan(values)
    np.copyto(values, 0.0, where=missing)
    return values, ~missing


def _added(values: Float64Array, measured: BoolArray) -> StretchSums:
    """Return the sums of N times K rows of 31 scores over K, which is at most 255."""
    ones = measured.view(np.uint8)
    return StretchSums(
        np.einsum("nkl->nl", values),
        np.einsum("nkl->nl", ones).astype(np.int32),
        np.count_nonzero(np.einsum("nkl->nk", ones), axis=1).astype(np.int32),
    )
