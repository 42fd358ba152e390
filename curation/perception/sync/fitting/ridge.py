"""Ridge regression from sound to mouth measures: it finds what is shifted and what does not belong together.

It has one solution and needs few minutes of speech, so it is taught before anything is known of the offsets of files,
then again on files that its first answers have aligned. Each file is judged by a regression that has not seen it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.perception.sync.fitting.stretches import SpokenStretch, folds_of, usual_deviation
from curation.perception.sync.mouth import deviations, spread_units
from curation.perception.sync.network import EDGE_TICKS, N_COMPONENTS, lag_scores, sound_measures
from foundation.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from manifests.schema.face_measures import SYNC_LAG_TICKS

__all__ = ["LAGS", "N_FOLDS", "Alignment", "aligned", "principal_components", "shifted"]

LAGS = range(-SYNC_LAG_TICKS, SYNC_LAG_TICKS + 1)

N_FOLDS = 5

_PASSES = 3

_N_HEARD = 48
"""Principal components of the sound that the regression takes."""

_REACH_TICKS = 5
"""Ticks of sound before and after the lips that it takes."""

_PENALTY = 300.0
"""Of the squared weights; ours, for components of deviation 1."""

_LEAST_CONFIDENCE = 0.25
"""Peak over median of a curve below which a stretch is not taught on; real speech in sync has 0.49 in the median."""

_LARGEST_OFFSET = 12
"""A peak further out may be the flank of another: ticks."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Alignment:
    """What the passes say of N stretches."""

    offset: Int64Array
    """(N,) ticks by which the sound is later than the lips, one for all stretches of a file."""
    confidence: Float64Array
    """(N,) peak over median of the curve of each."""
    kept: BoolArray
    """(N,) whether lips and sound belong together."""


def principal_components(speech: Sequence[Float32Array]) -> tuple[Float32Array, Float32Array]:
    """Return the (384,) mean and the (384, 64) whitened principal components of rows of Whisper."""
    rows = np.concatenate(speech).astype(np.float64)
    mean = rows.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(rows - mean, rowvar=False, bias=True))
    strongest = np.argsort(variance)[::-1][:N_COMPONENTS]
    whitened = axes[:, strongest] / np.sqrt(np.maximum(variance[strongest], 1e-8))
    return mean.astype(np.float32), whitened.astype(np.float32)


def shifted(one: SpokenStretch, offset: int) -> slice:
    """Return the ticks of the lips whose sound, `offset` ticks later, is in the stretch as well."""
    return slice(max(0, -offset), len(one) - max(0, offset))


def aligned(stretches: Sequence[SpokenStretch]) -> Alignment:
    """Return the offset of each file, and which stretches are lips and sound that belong together."""
    fold = folds_of(stretches, N_FOLDS)
    n = len(stretches)
    alignment = Alignment(offset=np.zeros(n, np.int64), confidence=np.zeros(n), kept=np.ones(n, np.bool_))
    for _ in range(_PASSES):
        alignment = _pass(stretches, fold, alignment)
    return alignment


def _pass(stretches: Sequence[SpokenStretch], fold: Int64Array, before: Alignment) -> Alignment:
    """Return what regressions say that were taught on the other folds, aligned as `before` has it."""
    curves = np.full((len(stretches), len(LAGS)), np.nan)
    for number in np.unique(fold):
        others = np.flatnonzero((fold != number) & before.kept)
        if not len(others):
            continue
        ridge = _Ridge([stretches[i] for i in others.tolist()], before.offset[others])
        for i in np.flatnonzero(fold == number).tolist():
            curves[i] = ridge.curve(stretches[i])
    curves = np.nan_to_num(curves)
    confidence = curves.max(axis=1) - np.median(curves, axis=1)
    return Alignment(
        offset=_file_offsets(stretches, curves, confidence), confidence=confidence, kept=confidence > _LEAST_CONFIDENCE
    )


def _file_offsets(stretches: Sequence[SpokenStretch], curves: Float64Array, confidence: Float64Array) -> Int64Array:
    """Return the (N,) offset of the file of each stretch: the peak of its curves together, unless it lies too far."""
    offset = np.zeros(len(stretches), dtype=np.int64)
    files = np.array([one.file for one in stretches])
    for file in np.unique(files):
        own = np.flatnonzero(files == file)
        sure = own[confidence[own] > _LEAST_CONFIDENCE]
        weight = np.array([len(stretches[i]) for i in sure], dtype=np.float64)
        peak = LAGS[int(np.argmax(weight @ curves[sure]))] if len(sure) else 0
        offset[own] = peak if abs(peak) <= _LARGEST_OFFSET else 0
    return offset


class _Ridge:
    """Predicts mouth measures from the sound of 11 ticks; how well it does weighs each measure's correlation."""

    def __init__(self, stretches: Sequence[SpokenStretch], offset: Int64Array) -> None:
        self._usual = usual_deviation(stretches)
        self._mean, self._components = principal_components([one.speech for one in stretches])
        heard, seen = [], []
        for one, lag in zip(stretches, offset, strict=True):
            lips = shifted(one, int(lag))
            inner = slice(EDGE_TICKS, -EDGE_TICKS)
            seen.append(self._seen(one)[lips][inner])
            heard.append(self._context(one)[lips.start + lag : lips.stop + lag][inner])
        sound, mouth = np.concatenate(heard), np.concatenate(seen)
        self._heard_mean, self._seen_mean = sound.mean(axis=0), mouth.mean(axis=0)
        sound -= self._heard_mean
        mouth -= self._seen_mean
        self._weights = np.linalg.solve(sound.T @ sound + _PENALTY * np.eye(sound.shape[1]), sound.T @ mouth)
        said = sound @ self._weights
        self._deviation = said.std(axis=0) + 1e-9
        explained = np.square((said * mouth).mean(axis=0) / (self._deviation * (mouth.std(axis=0) + 1e-9)))
        self._trust = explained / np.maximum(1.0 - explained, 1e-6)

    def curve(self, one: SpokenStretch) -> Float64Array:
        """Return the (31,) agreement of lips and sound by lag; NaN at lags that lead out of the stretch."""
        lips = (self._seen(one) - self._seen_mean) * self._trust
        said = (self._context(one) - self._heard_mean) @ self._weights / self._deviation
        scores = lag_scores(_of_unit_power(lips), _of_unit_power(said), LAGS)
        counts = np.isfinite(scores).sum(axis=0)
        total = np.nansum(scores, axis=0, dtype=np.float64)
        return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)

    def _seen(self, one: SpokenStretch) -> Float64Array:
        return spread_units(deviations(one.lengths), self._usual)

    def _context(self, one: SpokenStretch) -> Float64Array:
        rows = sound_measures(one.speech, self._mean, self._components)[:, :_N_HEARD].astype(np.float64)
        padded = np.pad(rows, ((_REACH_TICKS, _REACH_TICKS), (0, 0)), mode="edge")
        return np.concatenate([padded[tick : tick + len(rows)] for tick in range(2 * _REACH_TICKS + 1)], axis=1)


def _of_unit_power(rows: Float64Array) -> Float32Array:
    """Return rows whose mean squared length is 1."""
    scaled: Float32Array = (rows / np.sqrt(np.square(rows).sum(axis=1).mean() + 1e-12)).astype(np.float32)
    return scaled
