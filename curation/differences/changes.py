"""Ticks of a video that one decision keeps and another does not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.differences.told_spans import ToldVideo
from manifests.vocabulary import TIERS, Tier

__all__ = ["BEYOND", "Change", "Direction", "changes_of"]

Direction = Literal["entered", "left"]

BEYOND = "beyond_the_end"
"""Outcome of ticks after the end of a video that is longer in the other dataset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Ticks ``[first_tick, end_tick)`` that are kept on one side only, and why not on the other."""

    tier: Tier
    direction: Direction
    """`entered`: the second keeps them; `left`: the first did."""
    first_tick: int
    end_tick: int
    outcome: str
    """On the side that does not keep them."""
    failed: tuple[str, ...]
    """All rules that they, or ticks of the same span, fail there."""

    @property
    def n_ticks(self) -> int:
        """Number of ticks."""
        return self.end_tick - self.first_tick


def changes_of(before: ToldVideo, after: ToldVideo) -> list[Change]:
    """Return what entered and what left, tier by tier and in the order of the ticks.

    Args:
        before: the first decision.
        after: the second one, on the same video.
    """
    changes: list[Change] = []
    for tier in TIERS:
        one, other = before.tiers[tier], after.tiers[tier]
        ends = np.union1d(one.end, other.end)
        firsts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        places = zip(
            firsts.tolist(),
            ends.tolist(),
            np.searchsorted(one.end, firsts, side="right").tolist(),
            np.searchsorted(other.end, firsts, side="right").tolist(),
            strict=True,
        )
        for first, end, mine, theirs in places:
            here = one.outcome[mine] if mine < len(one.outcome) else BEYOND
            there = other.outcome[theirs] if theirs < len(other.outcome) else BEYOND
            if (here == "kept") == (there == "kept"):
                continue
            entered = there == "kept"
            told, place = (one, mine) if entered else (other, theirs)
            change = Change(
                tier=tier,
                direction="entered" if entered else "left",
                first_tick=first,
                end_tick=end,
                outcome=here if entered else there,
                failed=told.failed[place] if place < len(told.failed) else (),
            )
            changes.append(change)
    return changes
