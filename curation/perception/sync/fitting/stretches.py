"""Stretches of a face and the sound under it, from which the comparison of the two is learnt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.perception.sync.mouth import deviations
from foundation.array_types import Float32Array, Float64Array, Int64Array

__all__ = ["SpokenStretch", "folds_of", "usual_deviation"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SpokenStretch:
    """One face on T ticks that follow one another, and the sound of these ticks."""

    file: str
    """The video; the sound of one video has one offset."""
    group: str
    """Whatever must not be in two folds: a person, or a speaker of the layout."""
    first_tick: int
    """Of the video."""
    lengths: Float64Array
    """(T, 26) of `mouth_lengths`."""
    speech: Float32Array
    """(T, 384) rows of Whisper, at least as many as the network's edges take."""

    def __len__(self) -> int:
        return len(self.lengths)


def usual_deviation(stretches: Sequence[SpokenStretch]) -> Float32Array:
    """Return the (26,) mean over stretches of the deviation of each mouth measure."""
    spread = np.stack([deviations(one.lengths).std(axis=0) for one in stretches])
    usual: Float32Array = spread.mean(axis=0).astype(np.float32)
    return usual


def folds_of(stretches: Sequence[SpokenStretch], n_folds: int) -> Int64Array:
    """Return the (N,) fold of each stretch: groups whole, the longest first, each into the fold that is shortest.

    >>> def stretch(group: str, n_ticks: int) -> SpokenStretch:
    ...     lengths, speech = np.zeros((n_ticks, 26)), np.zeros((n_ticks, 384), np.float32)
    ...     return SpokenStretch(file=group, group=group, first_tick=0, lengths=lengths, speech=speech)
    >>> folds_of([stretch("a", 90), stretch("b", 200), stretch("a", 90), stretch("c", 30)], 2)
    array([1, 0, 1, 1])
    """
    ticks: dict[str, int] = {}
    for one in stretches:
        ticks[one.group] = ticks.get(one.group, 0) + len(one)
    filled, fold_of = np.zeros(n_folds, dtype=np.int64), dict[str, int]()
    for group in sorted(ticks, key=lambda name: (-ticks[name], name)):
        fold_of[group] = int(filled.argmin())
        filled[fold_of[group]] += ticks[group]
    return np.array([fold_of[one.group] for one in stretches], dtype=np.int64)
