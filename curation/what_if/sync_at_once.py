"""The rule `sync` on the stretches of many videos at once."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.sync_measures import SyncMeasures
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.sync import dropped_by_sync
from curation.what_if.tried_videos import TriedVideos
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TickRange

__all__ = ["SyncDrops"]

_Asked = tuple[int, tuple[TickRange, ...]]
"""A video, by its place in the row, and its stretches."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SyncDrops:
    """The stretches of one row of videos that the rule `sync` drops; answers are kept for the next combinations."""

    identity: str
    """Value of `perception.identity` that the evidence was measured with."""
    told: dict[Hashable, dict[_Asked, list[bool]]] = field(default_factory=dict)
    """By settings, and then by video and its stretches: whether each is dropped."""

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
        told = self.told.setdefault((settings, min_speech_prob, rules.tracks), {})
        asked: list[tuple[slice, _Asked]] = []
        new: dict[_Asked, tuple[SyncMeasures, tuple[TickRange, ...]]] = {}
        for place in np.flatnonzero(np.diff(bounds)).tolist():
            video = row.sync[place]
            if video is None:
                continue
            own = slice(bounds[place], bounds[place + 1])
            one = place, tuple(stretches[own])
            asked.append((own, one))
            if one not in told:
                new[one] = video, one[1]
        if new:
            found = dropped_by_sync(
                list(new.values()),
                settings,
                min_speech_prob=min_speech_prob,
                max_distance=rules.tracks.max_distance(IDENTITIES.card(self.identity, IdentityCard)),
            )
            told |= dict(zip(new, found, strict=True))
        for own, one in asked:
            dropped[own] = told[one]
        return dropped
