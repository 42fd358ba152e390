"""Crops of stretches with the own sound and with that of other people, and how well a score tells the two apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.perception.sync.fitting.ridge import LAGS
from curation.perception.sync.network import lag_scores
from foundation.array_types import Float32Array, Float64Array, Int64Array
from manifests.sync_curve import SyncCurve, SyncSums

Vectors = tuple[Float32Array, Float32Array]
"""(T, 64) unit vectors of the lips and of the sound of a stretch."""

_OTHERS = 6
"""Crops of other people whose sound each crop is given."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """``n_ticks`` of a stretch."""

    stretch: int
    first_tick: int
    """Of the stretch."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Crops of one length."""

    n_ticks: int
    crops: list[Crop]
    own: list[SyncCurve]
    """Curve of each crop with its own sound."""
    others: list[SyncCurve]
    """Curves of the crops with the sound of others, one crop after the other."""

    def auc(self) -> float:
        """Return the share of pairs of an own and another's sound in which the own is the surer."""
        own, others = (_confidence(curves) for curves in (self.own, self.others))
        return float(np.searchsorted(np.sort(others), own).mean() / len(others))

    def passing(self, share_of_others: float) -> float:
        """Return the share of own sounds above the limit that this share of others' passes."""
        limit = np.quantile(_confidence(self.others), 1.0 - share_of_others)
        return float((_confidence(self.own) > limit).mean())

    def above(self, z: float) -> tuple[float, float]:
        """Return the shares of own and of others' sounds at or above a z."""
        own, others = (np.array([curve.z for curve in curves]) for curves in (self.own, self.others))
        return float((own >= z).mean()), float((others >= z).mean())


def curve_of(lips: Vectors, sound: Vectors, lips_first: int, sound_first: int, n_ticks: int) -> SyncCurve:
    """Return the curve of the lips of one stretch and the sound of another, over as many ticks of both."""
    seen, heard = lips[0][lips_first : lips_first + n_ticks], sound[1][sound_first : sound_first + n_ticks]
    curve = SyncSums.of(lag_scores(seen, heard, LAGS)).curve()
    if curve is None:
        raise ValueError(f"{n_ticks} ticks have no score")
    return curve


def scored(
    vectors: Sequence[Vectors],
    people: Sequence[frozenset[str]],
    fold: Int64Array,
    n_ticks: int,
    rng: np.random.Generator,
) -> Scored:
    """Return crops of stretches, half overlapping, with their own sound and with that of others of the same fold.

    Args:
        vectors: of each stretch, by one network per fold.
        people: who is in the video of each.
        fold: (N,) fold of each.
        n_ticks: length of the crops.
        rng: chooses the others.
    """
    crops = [
        Crop(stretch=i, first_tick=first)
        for i, (lips, _) in enumerate(vectors)
        for first in range(0, len(lips) - n_ticks + 1, n_ticks // 2)
    ]
    own, others = [], []
    for crop in crops:
        i = crop.stretch
        own.append(curve_of(vectors[i], vectors[i], crop.first_tick, crop.first_tick, n_ticks))
        strange = [one for one in crops if fold[one.stretch] == fold[i] and not people[one.stretch] & people[i]]
        for number in rng.choice(len(strange), min(_OTHERS, len(strange)), replace=False):
            other = strange[number]
            others.append(curve_of(vectors[i], vectors[other.stretch], crop.first_tick, other.first_tick, n_ticks))
    return Scored(n_ticks=n_ticks, crops=crops, own=own, others=others)


def _confidence(curves: Sequence[SyncCurve]) -> Float64Array:
    return np.array([curve.confidence for curve in curves])
