"""The rule `sync` on the stretches of many videos at once."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from curation.decision.settings import RulesSettings
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.sync import JudgedAlone, dropped_by_sync
from curation.what_if.tried_videos import TriedVideos
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TickRange

__all__ = ["SyncDrops"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SyncDrops:
    """The stretches of one row of videos that the rule `sync` drops; answers are kept for the next combinations."""

    identity: str
    """Value of `perception.identity` that the evidence was measured with."""
    told: dict[Hashable, dict[tuple[int, tuple[TickRange, ...]], frozenset[TickRange]]] = field(default_factory=dict)
    """By settings, and then by video and its stretches: what is dropped."""
    alone: dict[Hashable, dict[int, dict[TickRange, JudgedAlone]]] = field(default_factory=dict)
    """By settings, and then by video: its stretches, most of which are the same under the next combination."""

    def __call__(self, row: TriedVideos, rules: RulesSettings, firsts: Int64Array, ends: Int64Array) -> BoolArray:
        """Return whether each stretch is dropped, as `curation.rules.sync` judges it.

        Args:
            row: the videos, the same in every call.
            rules: settings of the combination.
            firsts: (S,) first ticks of the stretches in the row.
            ends: (S,) their ends.
        """
        settings, min_speech_prob = rules.sync, rules.silence.min_speech_prob
        if settings.drop == "nothing":
            return np.zeros(len(firsts), dtype=np.bool_)
        # what was not measured stays, unless only what is in sync does
        dropped = np.full(len(firsts), settings.drop == "all_but_in_sync")
        of = np.searchsorted(row.first_tick, firsts, side="right") - 1
        bounds = np.searchsorted(of, np.arange(len(row.sync) + 1))
        starts = row.first_tick[of]
        stretches = list(zip((firsts - starts).tolist(), (ends - starts).tolist(), strict=True))
        # settings are hashed once for all videos: that takes longer than to judge most of these
        known = self.alone.setdefault((settings, min_speech_prob), {})
        told = self.told.setdefault((settings, min_speech_prob, rules.tracks), {})
        max_distance = rules.tracks.max_distance(IDENTITIES.card(self.identity, IdentityCard))
        for place in np.flatnonzero(np.diff(bounds)).tolist():
            video = row.sync[place]
            if video is None:
                continue
            own = slice(bounds[place], bounds[place + 1])
            ticks = tuple(stretches[own])
            if (place, ticks) not in told:
                told[(place, ticks)] = dropped_by_sync(
                    video,
                    ticks,
                    settings,
                    min_speech_prob=min_speech_prob,
                    max_distance=max_distance,
                    known=known.setdefault(place, {}),
                )
            found = told[(place, ticks)]
            dropped[own] = [one in found for one in ticks]
        return dropped
