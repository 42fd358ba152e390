"""What became of every tick of a video, from the table `spans` or from a decision."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import pyarrow as pa

from curation.decision.decide import Decision
from foundation.array_types import Int64Array
from manifests.errors import DatasetError
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["TOLD_COLUMNS", "ToldVideo", "told_by_table"]

TOLD_COLUMNS = ("video_id", "start_s", "end_s", "tier", "outcome", "failed", "clip_id")
"""Columns of `spans` that are read."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class ToldTier:
    """The S spans of one tier, which tile the video."""

    end: Int64Array
    """(S,) end of each span, ticks, ascending; the first begins at 0."""
    outcome: Sequence[str]
    failed: Sequence[tuple[str, ...]]
    """All rules that some tick of the span fails."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class ToldVideo:
    """What became of every tick of a video."""

    tiers: dict[Tier, ToldTier]
    clip_ids: frozenset[str]
    """Names of the clips of both tiers."""

    @classmethod
    def by_decision(cls, decision: Decision, video_id: str) -> Self:
        """Return what a decision says."""
        tiers = {}
        for tier in TIERS:
            spans = [span for span in decision.spans if span.tier == tier]
            tiers[tier] = ToldTier(
                end=np.array([span.end_tick for span in spans], dtype=np.int64),
                outcome=[span.outcome for span in spans],
                failed=[span.failed for span in spans],
            )
        return cls(tiers=tiers, clip_ids=frozenset(clip.clip_id(video_id) for clip in decision.clips))

    @classmethod
    def without(cls, outcome: str, n_ticks: int) -> Self:
        """Return that of a video of which nothing was decided, all of it with one outcome."""
        end = np.array([n_ticks] if n_ticks else [], dtype=np.int64)
        spans = 1 if n_ticks else 0
        tier = ToldTier(end=end, outcome=[outcome] * spans, failed=[()] * spans)
        return cls(tiers=dict.fromkeys(TIERS, tier), clip_ids=frozenset())

    @property
    def n_ticks(self) -> int:
        """Length of the video."""
        return max((int(tier.end[-1]) for tier in self.tiers.values() if len(tier.end)), default=0)

    def kept_ticks(self, tier: Tier) -> int:
        """Return how many ticks a tier keeps."""
        told = self.tiers[tier]
        lengths = np.diff(told.end, prepend=0)
        return int(sum(lengths[place] for place, outcome in enumerate(told.outcome) if outcome == "kept"))


def told_by_table(spans: pa.Table) -> Iterator[tuple[str, ToldVideo]]:
    """Yield each video of rows of `spans` with what became of its ticks.

    Args:
        spans: `TOLD_COLUMNS` of whole videos, in any order.

    Raises:
        DatasetError: the spans of a video leave a gap, or overlap.
    """
    rows = spans.sort_by([("video_id", "ascending"), ("tier", "ascending"), ("start_s", "ascending")])
    ids = rows["video_id"].to_numpy()
    bounds = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)] if len(ids) else [0]
    start, end = (
        np.rint(rows[name].to_numpy() * float(TICK_RATE_HZ)).astype(np.int64) for name in ("start_s", "end_s")
    )
    tier_of, outcome, failed, clip_id = (rows[name].to_pylist() for name in ("tier", "outcome", "failed", "clip_id"))
    for first, stop in pairwise(bounds):
        tiers = {}
        for tier in TIERS:
            own = [place for place in range(first, stop) if tier_of[place] == tier]
            if start[own].tolist() != [0, *end[own].tolist()][:-1]:
                raise DatasetError(f"the spans of video {ids[first]} do not tile it; run `gaia-curate validate`")
            tiers[tier] = ToldTier(
                end=end[own],
                outcome=[outcome[place] for place in own],
                failed=[tuple(failed[place]) for place in own],
            )
        clips = frozenset(clip_id[place] for place in range(first, stop) if clip_id[place] is not None)
        yield str(ids[first]), ToldVideo(tiers=tiers, clip_ids=clips)
