"""Verdict of a rule: value, failed ticks and limit."""

from collections.abc import Mapping
from dataclasses import dataclass

from foundation.array_types import BoolArray, Float32Array
from manifests.vocabulary import TIERS, Tier

__all__ = ["Verdict", "Verdicts", "in_every_tier"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Verdict of one rule on every tick of a video, under the limit of one tier."""

    value: Float32Array
    """(T,) measured value; NaN where nothing could be measured."""
    failed: BoolArray
    """(T,) True where the tick is dropped; of a boundary, where a clip may not go on from the tick before."""
    limit: float
    """Limit that the value is compared with, in the value's unit."""
    own_limit: Float32Array | None = None
    """(T,) limit of every tick, where it is not the same for all; None where it is."""


Verdicts = Mapping[Tier, Verdict]
"""Verdict of a rule per tier. A rule does not apply to a tier that is missing."""


def in_every_tier(verdict: Verdict) -> Verdicts:
    """Return one verdict as that of every tier, for a rule with a single limit."""
    return dict.fromkeys(TIERS, verdict)
