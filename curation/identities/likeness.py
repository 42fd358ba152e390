"""Likeness of two faces: the cosine of their descriptors, less what each has in common with strangers.

A descriptor tells some people apart better than others. To some faces a tenth of all strangers are as like as others are
to themselves, so a limit on the bare cosine either joins the ones or divides the others. Each face is therefore held
against a cohort of other people, and the cosine that its nearest tenth reaches is its zero. Speaker verification
normalises its scores likewise (Matějka et al., "Analysis of score normalization in multilingual speaker recognition",
Interspeech 2017).
"""

from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float32Array, Int64Array

__all__ = ["Likeness", "unit"]

_NEAREST_SHARE = 0.1
"""Share of the cohort whose nearest members count."""

_COHORT = 512
"""People in the cohort, at most."""

_TRUSTED = 20.0
"""People from which on the cohort counts more than the usual value."""

_ROWS_AT_A_TIME = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """Likeness between items, each a descriptor of length 1 and its cosine to strangers."""

    descriptors: Float32Array
    """(N, D) of length 1."""
    strangers: Float32Array
    """(N,) cosine that the nearest tenth of other people reaches."""

    @classmethod
    def among(cls, descriptors: Float32Array, people: Int64Array, usual: float) -> "Likeness":
        """Measure items against people of their own dataset.

        Args:
            descriptors: (N, D) of length 1.
            people: (P,) one item of each person, as far as is known before clustering.
            usual: cosine to strangers that counts where there are few people.
        """
        some = people if len(people) <= _COHORT else np.random.default_rng(0).choice(people, _COHORT, replace=False)
        cohort = descriptors[np.sort(some)]
        strangers = np.full(len(descriptors), usual, dtype=np.float32)
        trust = len(cohort) / (len(cohort) + _TRUSTED)
        rank = int((1 - _NEAREST_SHARE) * len(cohort))
        for first in range(0, len(descriptors) if len(cohort) else 0, _ROWS_AT_A_TIME):
            part = slice(first, first + _ROWS_AT_A_TIME)
            reached = np.partition(descriptors[part] @ cohort.T, rank, axis=1)[:, rank]
            strangers[part] = trust * reached + (1 - trust) * usual
        return cls(descriptors=descriptors, strangers=strangers)


def unit(vectors: Float32Array) -> Float32Array:
    """Return (N, D) vectors with length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32Array = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
