"""Samples of stretches for people: the nearest to a limit, and draws that are stratified by distance to it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.review.criteria import Criterion
from curation.review.decided_stretches import Stretch, distance
from curation.review.measured_videos import VideoRow

__all__ = ["Sample", "Strata", "chosen_videos", "drawn", "nearest", "strata_of"]

_SHARES = (("near", 0.1), ("middle", 0.4), ("far", 1.0))
"""Strata of the stretches that a rule decided alike, ranked by their distance to the limit: up to this share."""

_MOST_HOURS = 12.0
"""Most hours of video that are looked at tick by tick."""

_PER_VIDEO = 2
"""Stretches of one video among those nearest to a limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Stretch that a person is to look at."""

    stretch: Stretch
    stratum: str
    """Name of the stratum within its criterion, such as ``dropped, near``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Strata:
    """Stretches of one criterion by stratum."""

    criterion: Criterion
    members: Mapping[str, Sequence[Stretch]]
    """By stratum, the stretches, the nearest to the limit first."""

    @property
    def population(self) -> dict[str, int]:
        """Number of stretches per stratum."""
        return {name: len(members) for name, members in self.members.items()}


def chosen_videos(rows: Sequence[VideoRow], n: int, seed: int) -> list[VideoRow]:
    """Return up to `n` decided videos drawn at random, fewer where they are long; all if there are no more.

    Args:
        rows: all videos.
        n: most videos.
        seed: of the draw.
    """
    decided = sorted((row for row in rows if row.was_decided), key=lambda row: row.video_id)
    order = np.random.default_rng(seed).permutation(len(decided))
    chosen: list[VideoRow] = []
    left_s = _MOST_HOURS * 3600
    for number in order[:n]:
        row = decided[number]
        left_s -= row.duration_s or 0.0
        if chosen and left_s < 0:
            break
        chosen.append(row)
    return sorted(chosen, key=lambda row: (row.source, row.path))


def strata_of(criterion: Criterion, stretches: Sequence[Stretch]) -> Strata:
    """Return the stretches of a criterion by decision, and by the rank of their distance to the limit."""
    members: dict[str, Sequence[Stretch]] = {}
    for decision, is_dropped in (("dropped", True), ("kept", False)):
        own = [stretch for stretch in stretches if stretch.dropped == is_dropped]
        own.sort(key=lambda stretch: (distance(stretch), stretch.video_id, stretch.ticks))
        known = [stretch for stretch in own if stretch.value is not None]
        first = 0
        for name, share in _SHARES:
            end = -int(-len(known) * share // 1)  # rounded up
            if end > first:
                members[f"{decision}, {name}"] = known[first:end]
            first = max(first, end)
        if len(known) < len(own):
            members[f"{decision}, no value"] = own[len(known) :]
    return Strata(criterion=criterion, members=members)


def nearest(strata: Strata, n: int) -> list[Sample]:
    """Return the `n` dropped and the `n` kept stretches nearest to the limit, at most two of a video."""
    chosen = []
    for decision in ("dropped", "kept"):
        own = [(name, s) for name, members in strata.members.items() if name.startswith(decision) for s in members]
        seen: Counter[str] = Counter()
        left = n
        for name, stretch in own:
            if left and seen[stretch.video_id] < _PER_VIDEO:
                chosen.append(Sample(stretch=stretch, stratum=name))
                seen[stretch.video_id] += 1
                left -= 1
    return chosen


def drawn(strata: Sequence[Strata], n: int, seed: int) -> list[Sample]:
    """Draw `n` stretches, the same for the same stretches and seed.

    As many are of each criterion and decision, and of these as many of each stratum, as there are stretches for it.

    Args:
        strata: of each criterion.
        n: number of samples; fewer are returned where there are fewer stretches.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    waiting: dict[tuple[str, str, str], list[Stretch]] = {}
    for one in strata:
        for name, members in one.members.items():
            order = random.permutation(len(members))
            waiting[one.criterion.key, name.partition(",")[0], name] = [members[i] for i in order]
    groups: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for key in waiting:
        groups[key[:2]].append(key)
    turns = [list(groups.values())[place] for place in random.permutation(len(groups))]  # a small draw is of any rules
    taken: dict[tuple[str, str, str], int] = dict.fromkeys(waiting, 0)
    left = min(n, sum(map(len, waiting.values())))
    while left:
        for keys in turns:
            open_keys = [key for key in keys if taken[key] < len(waiting[key])]
            if left and open_keys:
                taken[min(open_keys, key=lambda key: taken[key])] += 1
                left -= 1
    return [
        Sample(stretch=stretch, stratum=key[2]) for key, members in waiting.items() for stretch in members[: taken[key]]
    ]
