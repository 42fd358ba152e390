"""Grid ticks that need not be searched: those between two barriers that are too close to each other for a clip.

The first groups of each period are anchors, as many as a barrier takes. Where the anchors of a period and those of the
next one clearly fail, what lies between is shorter than a clip, whatever it shows: its groups are not searched, and
where they were searched, they do not count. So it is known of most of what is dropped by one group of seven.
"""

from dataclasses import dataclass

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.measures import GRID_TICKS
from foundation.array_types import BoolArray, Int64Array

__all__ = ["Anchors", "counted", "least_bad"]


def least_bad(rules: RulesSettings) -> int:
    """Return how many grid ticks in a row make a barrier: two, or as many as an interpolated miss could hide."""
    return 2 + rules.no_face.bridge_ticks // GRID_TICKS


@dataclass(frozen=True, slots=True)
class Anchors:
    """The groups of ticks that are searched in any case, counted from the beginning of the video."""

    period_groups: int
    """Groups from the first anchor of a period to that of the next."""
    n_groups: int
    """Anchors of a period, its first groups."""

    @classmethod
    def of(cls, rules: RulesSettings) -> "Anchors":
        """Return the widest period at which no clip fits between the anchors.

        The last tick of a period's anchors may be the first of its group, and the first one of the next the last of
        its group: 5 period - 5 anchors + 8 ticks lie between, at most.
        """
        n_groups = least_bad(rules)
        spare = (rules.too_short.min_ticks - 1 - 2 * (GRID_TICKS - 1)) // GRID_TICKS
        return cls(period_groups=n_groups + max(0, spare), n_groups=n_groups)

    def place(self, tick: int) -> tuple[int, int]:
        """Return the period of a tick, and the number of its group in it."""
        return divmod(tick // GRID_TICKS, self.period_groups)


def counted(grid_tick: Int64Array, fails: BoolArray, rules: RulesSettings) -> BoolArray:
    """Return (G,) whether a grid tick counts: it is an anchor, or those before or after it do not all clearly fail.

    Args:
        grid_tick: (G,) grid ticks, ascending.
        fails: (G,) whether each clearly fails by its picture alone.
        rules: their settings.
    """
    anchors = Anchors.of(rules)
    period, number = np.divmod(grid_tick // GRID_TICKS, anchors.period_groups)
    is_anchor = number < anchors.n_groups
    n_failing = np.bincount(period[is_anchor & fails], minlength=int(period.max(initial=0)) + 2)
    is_closed = n_failing == anchors.n_groups
    between: BoolArray = is_closed[period] & is_closed[period + 1] & ~is_anchor
    return ~between
