"""Shares estimated from a stratified sample, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Estimate", "share"]

_Z = 1.959964
"""Quantile of the normal distribution for intervals of 95 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Share of a population, with Wilson's interval of 95 %."""

    value: float
    low: float
    high: float
    n: int
    """Sampled members that it rests on."""

    def text(self) -> str:
        """Return the share in percent with its interval.

        >>> share([True] * 9 + [False], [1.0] * 10).text()
        '90 % (60 to 98)'
        """
        return f"{100 * self.value:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f})"


def share(hits: Sequence[bool], weights: Sequence[float]) -> Estimate:
    """Return the weighted share of hits with Wilson's interval (Wilson 1927) for Kish's effective number of members.

    Weights that differ make a sample say less. Kish's number, (sum of the weights)² / sum of their squares (Kish 1965),
    is that of equally weighted members which say as much.

    Args:
        hits: whether each sampled member is one.
        weights: how many members of the population each stands for, above 0.

    Raises:
        ValueError: there is no member.

    >>> share([True, True, False, False], [1.0, 1.0, 1.0, 1.0]).value
    0.5
    """
    if not hits:
        raise ValueError("there is no member to estimate a share from")
    total = sum(weights)
    p = sum(weight for hit, weight in zip(hits, weights, strict=True) if hit) / total
    n = total**2 / sum(weight**2 for weight in weights)
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Estimate(value=p, low=max(0.0, middle - half), high=min(1.0, middle + half), n=len(hits))
