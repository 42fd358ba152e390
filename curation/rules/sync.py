"""Rule `sync`: lips and sound belong together (GAIA section 3, third policy: "not aligned" is to be dropped).

It judges the stretches that pass all other rules of tier `diffusion`, each as a whole. What is said of a stretch
follows from the scores in the evidence, so that a later decision needs no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate

import numpy as np

from curation.evidence.sync_measures import SyncMeasures
from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.sync_alone import JudgedAlone, VideoStretches, judged_alone, stretch_measures
from curation.rules.sync_settings import SyncSettings
from curation.rules.verdict import Verdicts
from foundation.array_types import Float32Array
from manifests.score_sums import StretchSums, sums_between
from manifests.sync_curve import SyncCurve
from manifests.timeline import TickRange
from manifests.vocabulary import SyncOutcome, SyncReason

__all__ = [
    "NOTHING_JUDGED",
    "SyncSettings",
    "SyncedStretch",
    "VideoSync",
    "dropped_by_sync",
    "judge_sync",
]

_DROPS: Mapping[str, tuple[SyncOutcome, ...]] = {
    "nothing": (),
    "not_in_sync": ("not_in_sync",),
    "all_but_in_sync": ("not_in_sync", "undecided", "not_measured"),
}
"""By the setting `drop`, the outcomes that leave tier `diffusion`."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SyncedStretch:
    """What is said of the lips and the sound of one stretch."""

    ticks: TickRange
    """``(first, end)``, half open."""
    outcome: SyncOutcome
    reason: SyncReason | None = None
    """Why it was not measured; None where it was."""
    curve: SyncCurve | None = None
    """Of the stretch itself; None where it was not measured."""
    value: float | None = None
    """The z that decided: that of the stretch, or of all of its face; None where it was not measured."""
    limit: float | None = None
    """The z that `value` was held against."""
    dropped: bool = False
    """It leaves tier `diffusion`."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class VideoSync:
    """What is said of the lips and the sound of a video."""

    stretches: tuple[SyncedStretch, ...] = ()
    """All stretches that were judged, in order."""
    curve: SyncCurve | None = None
    """Of all measured stretches together; None where none was."""

    @property
    def dropped(self) -> frozenset[TickRange]:
        """The stretches that leave tier `diffusion`."""
        return frozenset(stretch.ticks for stretch in self.stretches if stretch.dropped)


NOTHING_JUDGED = VideoSync()
"""Of a video without a stretch to judge."""


def judge_sync(
    video: SyncMeasures,
    stretches: Sequence[TickRange],
    settings: SyncSettings,
    *,
    min_speech_prob: float,
    max_distance: float,
) -> VideoSync:
    """Judge stretches of a video that satisfy every other rule of tier `diffusion`.

    A stretch is first judged by its own curve. What that leaves open, and a short stretch that is not in sync by it, is
    judged by more ticks: those around a short one, and all stretches of its face. It is in sync where they are and its
    own peak lies at their offset. Else it is not in sync where neither its own z nor theirs reaches the limit.

    Args:
        video: the measurements.
        stretches: half-open ranges of ticks, each within one track.
        settings: limits.
        min_speech_prob: probability from which a tick counts as speech.
        max_distance: largest distance of two identity descriptors of one face.
    """
    if not stretches:
        return NOTHING_JUDGED
    videos = [(video, stretches)]
    alone = judged_alone(stretch_measures(videos, min_speech_prob=min_speech_prob), settings)
    told = dict(enumerate(_told_alone(alone, place, ticks, settings) for place, ticks in enumerate(stretches)))
    told |= _judged_with_others(videos, alone, settings, max_distance)
    drops = _DROPS[settings.drop]
    return VideoSync(
        stretches=tuple(replace(stretch, dropped=stretch.outcome in drops) for stretch in told.values()),
        curve=alone.sums.pooled(alone.measured).curve(),
    )


def dropped_by_sync(
    videos: Sequence[VideoStretches], settings: SyncSettings, *, min_speech_prob: float, max_distance: float
) -> list[list[bool]]:
    """Return whether each stretch of each of several videos leaves tier `diffusion`, as `judge_sync` tells."""
    alone = judged_alone(stretch_measures(videos, min_speech_prob=min_speech_prob), settings)
    outcomes = dict(enumerate(alone.outcome))
    outcomes |= {
        place: stretch.outcome for place, stretch in _judged_with_others(videos, alone, settings, max_distance).items()
    }
    drops = _DROPS[settings.drop]
    return [[outcomes[place] in drops for place in places] for places in _places(videos)]


def _places(videos: Sequence[VideoStretches]) -> list[range]:
    """Return the places of the stretches of each video among all."""
    ends = list(accumulate(len(stretches) for _, stretches in videos))
    return [range(end - len(stretches), end) for end, (_, stretches) in zip(ends, videos, strict=True)]


def _told_alone(alone: JudgedAlone, place: int, ticks: TickRange, settings: SyncSettings) -> SyncedStretch:
    outcome, reason = alone.outcome[place], alone.reason[place]
    if outcome == "not_measured":
        return SyncedStretch(ticks=ticks, outcome=outcome, reason=reason, limit=settings.in_sync_z)
    curve = alone.curve(place)
    limit = settings.refuted_below(curve.n_ticks) if outcome == "not_in_sync" else settings.in_sync_z
    return SyncedStretch(ticks=ticks, outcome=outcome, curve=curve, value=curve.z, limit=limit)


def _judged_with_others(
    videos: Sequence[VideoStretches], alone: JudgedAlone, settings: SyncSettings, max_distance: float
) -> dict[int, SyncedStretch]:
    """Return the stretches that are undecided alone, judged by more ticks, by their places among all."""
    left: dict[int, SyncedStretch] = {}
    short: dict[int, tuple[SyncMeasures, TickRange]] = {}
    by_face: list[Sequence[int]] = []
    for (video, stretches), places in zip(videos, _places(videos), strict=True):
        own = dict(zip(places, stretches, strict=True))
        undecided = [place for place in places if alone.outcome[place] == "undecided"]
        if not undecided:
            continue
        left |= {place: _told_alone(alone, place, own[place], settings) for place in undecided}
        short |= {place: (video, own[place]) for place in undecided if alone.sums.n_ticks[place] < settings.sure_ticks}
        measured = {place: ticks for place, ticks in own.items() if alone.reason[place] is None}
        by_face += _by_face(video, measured, max_distance)
    wider = _curves_around(short, settings.around_ticks)
    told: dict[int, SyncedStretch] = {}
    for of_face in by_face:
        of_them = {place: left[place] for place in of_face if place in left}
        if of_them:
            told |= _judged_together(of_them, of_face, alone.sums, wider, settings)
    return told


def _curves_around(
    stretches: Mapping[int, tuple[SyncMeasures, TickRange]], n_ticks: int
) -> Mapping[int, SyncCurve | None]:
    """Return the curves of stretches with at most `n_ticks` before and after each, as far as its face goes on."""
    if not stretches:
        return {}
    sums = sums_between(
        [(video.score_sums, np.array([_wider(video, ticks, n_ticks)])) for video, ticks in stretches.values()]
    )
    return {place: sums.pooled([number]).curve() for number, place in enumerate(stretches)}


def _wider(video: SyncMeasures, ticks: TickRange, n_ticks: int) -> TickRange:
    """Return a range with at most `n_ticks` before and after it, as far as its face goes on."""
    first, end = ticks
    lowest, highest = max(0, first - n_ticks), min(len(video), end + n_ticks)
    other = video.track_id[lowest:highest] != video.track_id[first]
    # where the face does not go on: to a tick from the one after it, and from the one before it
    before = np.flatnonzero(other[: first - lowest] | video.breaks[lowest + 1 : first + 1])
    after = np.flatnonzero(other[end - lowest :] | video.breaks[end:highest])
    if before.size:
        lowest += 1 + int(before[-1])
    return lowest, end + int(after[0]) if after.size else highest


def _by_face(video: SyncMeasures, stretches: Mapping[int, TickRange], max_distance: float) -> Sequence[Sequence[int]]:
    """Return the places of the stretches of each face: of one track, or, over a cut, with descriptors near each other.

    Args:
        video: the measurements.
        stretches: by their places.
        max_distance: largest distance of two descriptors of one face.
    """

    @cache
    def descriptor(place: int) -> Float32Array | None:
        first, end = np.searchsorted(video.described, stretches[place])
        mean: Float32Array | None = video.descriptor[first:end].mean(axis=0) if end > first else None
        return mean

    def near(one: int, other: int) -> bool:
        # of a stretch without a descriptor, only the track tells whose face it is
        its, others = descriptor(one), descriptor(other)
        return its is not None and others is not None and float(np.linalg.norm(its - others)) <= max_distance

    faces: list[tuple[set[int], list[int]]] = []
    for place, (first, _) in stretches.items():
        track = int(video.track_id[first])
        for tracks, members in faces:
            if track in tracks or near(place, members[0]):
                tracks.add(track)
                members.append(place)
                break
        else:
            faces.append(({track}, [place]))
    return [members for _, members in faces]


def _judged_together(
    left: Mapping[int, SyncedStretch],
    of_face: Sequence[int],
    sums: StretchSums,
    wider: Mapping[int, SyncCurve | None],
    settings: SyncSettings,
) -> dict[int, SyncedStretch]:
    """Judge what is left open of one face by more ticks.

    Args:
        left: the stretches that are undecided by their own curves, by place.
        of_face: places of all stretches of the face.
        sums: of the stretches of all places.
        wider: curves of short ones with the ticks around them.
        settings: limits.
    """
    whole = sums.pooled(of_face).curve()
    told = {
        place: _agreeing(_agreeing(stretch, wider.get(place), settings), whole, settings)
        for place, stretch in left.items()
    }
    still = [place for place, stretch in told.items() if stretch.outcome == "undecided"]
    rest = sums.pooled(still).curve()
    for place in still:
        for more in (rest, wider.get(place), told[place].curve):
            told[place] = _refuted(told[place], more, settings)
    return told


def _agreeing(stretch: SyncedStretch, more: SyncCurve | None, settings: SyncSettings) -> SyncedStretch:
    """Return a stretch, in sync if it was left open and has the offset of more ticks that are in sync."""
    curve = stretch.curve
    if stretch.outcome != "undecided" or curve is None or more is None or more.z < settings.in_sync_z:
        return stretch
    if abs(curve.offset_ticks - more.offset_ticks) > settings.same_offset_ticks:
        return stretch
    return replace(stretch, outcome="in_sync", value=more.z, limit=settings.in_sync_z)


def _refuted(stretch: SyncedStretch, more: SyncCurve | None, settings: SyncSettings) -> SyncedStretch:
    """Return a stretch, not in sync if it was left open and neither its z nor that of more ticks reaches the limit."""
    if stretch.outcome != "undecided" or stretch.curve is None or more is None:
        return stretch
    limit = settings.refuted_below(more.n_ticks)
    if max(stretch.curve.z, more.z) >= limit:
        return stretch
    return replace(stretch, outcome="not_in_sync", value=more.z, limit=limit)


@register(name="sync", settings=SyncSettings, words="agreement of lips and sound, z", keeps="at least")
def _judge(_video: MeasuredVideo, _settings: SyncSettings) -> Verdicts:
    # The stretches are known only once all other rules are applied, and `decide` judges them then.
    return {}
