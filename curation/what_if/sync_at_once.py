"""The rule `sync` on the stretches of many videos at once."""

from dataclasses import dataclass, field

import numpy as np

from curation.decision.settings import RulesSettings
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.rule import MeasuredVideo
from curation.rules.sync import JudgedAlone, judge_sync
from curation.what_if.tried_videos import TriedVideos
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TickRange

__all__ = ["SyncDrops"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SyncDrops:
    """The stretches that the rule `sync` drops; an answer is kept for combinations that ask the same again."""

    identity: str
    """Value of `perception.identity` that the evidence was measured with."""
    told: dict[tuple[object, ...], frozenset[TickRange]] = field(default_factory=dict)
    alone: dict[tuple[object, ...], dict[TickRange, JudgedAlone]] = field(default_factory=dict)
    """Stretches by video and settings: most of them are the same under the next combination."""

    def __call__(self, row: TriedVideos, rules: RulesSettings, firsts: Int64Array, ends: Int64Array) -> BoolArray:
        """Return whether each stretch is dropped, as `curation.rules.sync` judges it.

        Args:
            row: the videos.
            rules: settings of the combination.
            firsts: (S,) first ticks of the stretches in the row.
            ends: (S,) their ends.
        """
        if rules.sync.drop == "nothing":
            return np.zeros(len(firsts), dtype=np.bool_)
        # what was not measured stays, unless only what is in sync does
        dropped = np.full(len(firsts), rules.sync.drop == "all_but_in_sync")
        of = np.searchsorted(row.first_tick, firsts, side="right") - 1
        bounds = np.searchsorted(of, np.arange(len(row.videos) + 1))
        for place, video in enumerate(row.videos):
            own = slice(bounds[place], bounds[place + 1])
            if video is None or own.start == own.stop:
                continue
            start = row.first_tick[place]
            ticks = list(zip((firsts[own] - start).tolist(), (ends[own] - start).tolist(), strict=True))
            dropped_here = self._dropped(video, int(row.number[place]), tuple(ticks), rules)
            dropped[own] = [one in dropped_here for one in ticks]
        return dropped

    def _dropped(
        self, video: MeasuredVideo, number: int, ticks: tuple[TickRange, ...], rules: RulesSettings
    ) -> frozenset[TickRange]:
        settings = (number, rules.sync, rules.silence.min_speech_prob, id(video))
        key = (*settings, ticks, rules.tracks)
        if key not in self.told:
            self.told[key] = judge_sync(
                video,
                ticks,
                rules.sync,
                min_speech_prob=rules.silence.min_speech_prob,
                max_distance=rules.tracks.max_distance(IDENTITIES.card(self.identity, IdentityCard)),
                known=self.alone.setdefault(settings, {}),
            ).dropped
        return self.told[key]
