"""What a rule answers, and how its limits are written."""

from dataclasses import dataclass

from foundation.array_types import BoolArray, Float32Array

__all__ = ["Verdict"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One rule's answer for every tick of a video, under one tier's limit."""

    value: Float32Array
    """(T,) what was measured; NaN where it could not be."""
    failed: BoolArray
    """(T,) True where the tick is dropped."""
    limit: float
    """What the value was held against, in the value's unit."""
    worst_is_high: bool = True
    """Whether the highest value of a span is the one that decided it (else the lowest)."""
