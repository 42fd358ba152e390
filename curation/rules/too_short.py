"""Rule `too_short`: only runs of at least 3 s become clips (GAIA appendix A.1), and longer ones are split."""

import math
from itertools import pairwise
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.runs import run_lengths
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray
from foundation.settings import Settings
from manifests.limits import MAX_CLIP_S
from manifests.timeline import TICK_RATE_HZ

__all__ = ["TooShortSettings", "split_evenly", "too_short"]


class TooShortSettings(Settings):
    """Settings of the rule `too_short`."""

    min_s: float = Field(default=3.0, gt=0.0)
    """Shortest clip, seconds (GAIA A.1: "consecutive satisfactory frames longer than three seconds")."""
    max_clip_s: float = Field(default=30.0, gt=0.0, le=MAX_CLIP_S)
    """Longer runs are split evenly, seconds. Ours: the window of Whisper, and a bound on what a loader has to read."""

    @model_validator(mode="after")
    def _room_to_split(self) -> Self:
        if self.max_clip_s < 2 * self.min_s:
            raise ValueError(
                f"max_clip_s {self.max_clip_s} is below twice min_s {self.min_s}; halves would be too short"
            )
        return self

    @property
    def min_ticks(self) -> int:
        """Shortest clip in ticks."""
        return math.ceil(self.min_s * TICK_RATE_HZ)

    @property
    def max_ticks(self) -> int:
        """Longest clip in ticks."""
        return math.floor(self.max_clip_s * TICK_RATE_HZ)


def split_evenly(first: int, end: int, max_ticks: int) -> list[tuple[int, int]]:
    """Cut ``[first, end)`` into the fewest pieces of at most `max_ticks`, equal to within one tick.

    >>> split_evenly(0, 10, 4)
    [(0, 3), (3, 6), (6, 10)]
    """
    n_pieces = math.ceil((end - first) / max_ticks)
    bounds = [first + (end - first) * i // n_pieces for i in range(n_pieces + 1)]
    return list(pairwise(bounds))


def too_short(left: BoolArray, breaks: BoolArray, settings: TooShortSettings) -> Verdict:
    """Drop ticks that satisfy all other rules and are in no clip, because their runs are too short.

    Args:
        left: (T,) such ticks.
        breaks: (T,) True where a run must not continue from the tick before.
        settings: shortest clip.

    Returns:
        value: the length of the run around each tick, seconds; 0 on other ticks.
    """
    length_s = (run_lengths(left, breaks) / float(TICK_RATE_HZ)).astype(np.float32)
    return Verdict(value=length_s, failed=left, limit=settings.min_s)


@register(name="too_short", settings=TooShortSettings, words="length of the good stretch", unit="s", keeps="at least")
def _judge(_video: MeasuredVideo, _settings: TooShortSettings) -> Verdicts:
    # The runs are known only after clips are planned, and `decide` applies `too_short` then.
    return {}
