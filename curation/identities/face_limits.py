"""How alike two faces must be to be one person: limits of the mean cosine, and the chance that follows from it."""

from dataclasses import dataclass

import numpy as np

from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from foundation.array_types import Float32Array, Float64Array

__all__ = ["FaceLimits", "limits_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceLimits:
    """Limits of the mean cosine between descriptors of length 1."""

    across: float
    """From here on, faces of different videos are one person."""
    within: float
    """The same for faces of one video that are never seen at once: far fewer people come into question there."""
    scale: float
    """Change of the cosine that changes the odds of one person by a factor of e."""

    def chance(self, cosine: Float32Array | Float64Array, *, within: bool = False) -> Float64Array:
        """Return the chance that two faces are one person: a half at the limit."""
        limit = self.within if within else self.across
        odds = np.clip((np.asarray(cosine, np.float64) - limit) / self.scale, -50.0, 50.0)
        chances: Float64Array = 1.0 / (1.0 + np.exp(-odds))
        return chances


_LIMITS = {
    "dlib": FaceLimits(across=0.96, within=0.91, scale=0.01),
    "arcface": FaceLimits(across=0.40, within=0.30, scale=0.05),
}
"""By the value of `perception.identity`. Those of dlib are from 137 tracks of 97 people
(benchmarks/results/2026-11-who-speaks.md); those of ArcFace are ours, from what InsightFace publishes: strangers have
cosines about 0 with a deviation of 0.06, and its demonstration takes 0.28 to 0.4 for the border."""


def limits_of(identity: str, length: float) -> FaceLimits:
    """Return the limits for the descriptors of a dataset.

    For a model of the user's they follow from the distance of one person's descriptors that its card states.

    Args:
        identity: value of `perception.identity` of the dataset.
        length: median length of its descriptors.

    Raises:
        UnknownModelError: no such model is built in or registered.
    """
    if identity in _LIMITS:
        return _LIMITS[identity]
    distance = IDENTITIES.card(identity, IdentityCard).same_person_distance
    if isinstance(distance, str):  # a setting of the tracks, which only built-in models have
        raise TypeError(f"card {identity!r}: same_person_distance is {distance!r}; give a number")
    cosine = max(-1.0, 1.0 - (distance / length) ** 2 / 2)
    return FaceLimits(across=cosine, within=cosine, scale=(1.0 - cosine) / 4)
