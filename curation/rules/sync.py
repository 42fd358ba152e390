"""Rule `sync`: lips and sound belong together (GAIA section 3, third policy: "not aligned" is to be dropped).

It judges the stretches that pass all other rules of tier `diffusion`, each as a whole. What is said of a stretch
follows from the scores in the evidence, so that a later decision needs no network.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curation.evidence.sync_measures import SyncMeasures
from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.sync_settings import SyncSettings
from curation.rules.verdict import Verdicts
from foundation.array_types import Float32Array
from manifests.sync_curve import SyncCurve, SyncSums, pooled
from manifests.timeline import TICK_RATE_HZ, TickRange
from manifests.vocabulary import SyncOutcome, SyncReason

__all__ = [
    "NOTHING_JUDGED",
    "JudgedAlone",
    "SyncSettings",
    "SyncedStretch",
    "VideoSync",
    "dropped_by_sync",
    "judge_sync",
]

_LEAST_MEASURED = 0.5
"""A stretch of which less was measured is not judged by the rest."""

_COVERED_PROB = 0.5
"""Mean probability of a covered mouth from which the lips are not seen."""

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


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class JudgedAlone:
    """What a stretch is by its own ticks and those around it, whatever the other stretches are."""

    stretch: SyncedStretch
    sums: SyncSums | None
    """None where it was not measured."""
    wider: SyncCurve | None
    """Of a short one, its curve with the ticks around it."""
    descriptor: Float32Array
    """(D,) mean descriptor of the face; empty where there is none, or where it was not measured."""


NOTHING_JUDGED = VideoSync()
"""Of a video without a stretch to judge."""


def judge_sync(
    video: SyncMeasures,
    stretches: Sequence[TickRange],
    settings: SyncSettings,
    *,
    min_speech_prob: float,
    max_distance: float,
    known: MutableMapping[TickRange, JudgedAlone] | None = None,
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
        known: stretches of the same video that were judged by the same settings before, to which these are added.
    """
    drops = _DROPS[settings.drop]
    sums: dict[TickRange, SyncSums] = {}
    wider: dict[TickRange, SyncCurve] = {}
    told: dict[TickRange, SyncedStretch] = {}
    alone = {} if known is None else known
    for ticks in stretches:
        if ticks not in alone:
            alone[ticks] = _alone(video, ticks, settings, min_speech_prob)
        one = alone[ticks]
        told[ticks] = one.stretch
        if one.sums is not None:
            sums[ticks] = one.sums
        if one.wider is not None:
            wider[ticks] = one.wider
    for of_face in _by_face(video, {ticks: alone[ticks].descriptor for ticks in sums}, max_distance):
        told |= _judged_together({ticks: told[ticks] for ticks in of_face}, sums, wider, settings)
    return VideoSync(
        stretches=tuple(replace(told[ticks], dropped=told[ticks].outcome in drops) for ticks in stretches),
        curve=pooled(sums.values()).curve(),
    )


def dropped_by_sync(
    video: SyncMeasures,
    stretches: Sequence[TickRange],
    settings: SyncSettings,
    *,
    min_speech_prob: float,
    max_distance: float,
    known: MutableMapping[TickRange, JudgedAlone],
) -> frozenset[TickRange]:
    """Return what `judge_sync` drops; where each stretch is clear by itself, none is judged with others."""
    for ticks in stretches:
        if ticks not in known:
            known[ticks] = _alone(video, ticks, settings, min_speech_prob)
    if all(known[ticks].stretch.outcome != "undecided" for ticks in stretches):
        drops = _DROPS[settings.drop]
        return frozenset(ticks for ticks in stretches if known[ticks].stretch.outcome in drops)
    return judge_sync(
        video, stretches, settings, min_speech_prob=min_speech_prob, max_distance=max_distance, known=known
    ).dropped


def _alone(video: SyncMeasures, ticks: TickRange, settings: SyncSettings, min_speech_prob: float) -> JudgedAlone:
    reason, own = _measured(video, ticks, settings, min_speech_prob)
    if own is None:
        stretch = SyncedStretch(ticks=ticks, outcome="not_measured", reason=reason, limit=settings.in_sync_z)
        return JudgedAlone(stretch=stretch, sums=None, wider=None, descriptor=np.zeros(0, np.float32))
    short = own.n_ticks < settings.sure_ticks
    wider = _curve_around(video, ticks, settings.around_ticks) if short else None
    first, end = np.searchsorted(video.described, ticks)
    descriptor = video.descriptor[first:end].mean(axis=0) if end > first else np.zeros(0, np.float32)
    return JudgedAlone(stretch=_judged_alone(ticks, own, settings), sums=own, wider=wider, descriptor=descriptor)


def _measured(
    video: SyncMeasures, ticks: TickRange, settings: SyncSettings, min_speech_prob: float
) -> tuple[SyncReason | None, SyncSums | None]:
    """Return the sums of a stretch, or why it cannot be judged."""
    own, n_ticks = slice(*ticks), ticks[1] - ticks[0]
    if video.speech_prob is None:
        return "no_sound", None
    if video.scores is None:
        return "no_scores", None
    sums = SyncSums.of(video.scores[own])
    n_pictures = 1 + int(np.count_nonzero(video.moved[ticks[0] + 1 : ticks[1]]))
    checks: dict[SyncReason, bool] = {
        "no_scores": sums.n_ticks < _LEAST_MEASURED * n_ticks,
        "few_ticks": sums.n_ticks < settings.min_ticks or sums.curve() is None,
        "little_speech": float(np.mean(video.speech_prob[own] >= min_speech_prob)) < settings.min_speech,
        # a stretch may hold one picture less than its length times the rate
        "few_pictures": (n_pictures + 1) * float(TICK_RATE_HZ) < settings.min_pictures_hz * n_ticks,
        "turned": float(np.mean(np.abs(video.yaw_deg[own]))) > settings.max_yaw_deg,
        "covered": float(np.mean(video.mask_prob[own])) > _COVERED_PROB,
    }
    reason = next((reason for reason, holds in checks.items() if holds), None)
    return reason, sums if reason is None else None


def _judged_alone(ticks: TickRange, sums: SyncSums, settings: SyncSettings) -> SyncedStretch:
    curve = sums.curve()
    if curve is None:
        raise AssertionError(f"stretch {ticks} was measured and has no curve")
    stretch = SyncedStretch(ticks=ticks, outcome="undecided", curve=curve, value=curve.z, limit=settings.in_sync_z)
    if curve.z >= settings.in_sync_z:
        return replace(stretch, outcome="in_sync")
    return stretch if curve.n_ticks < settings.sure_ticks else _refuted(stretch, curve, settings)


def _curve_around(video: SyncMeasures, ticks: TickRange, n_ticks: int) -> SyncCurve | None:
    """Return the curve of a range with at most `n_ticks` before and after it, as far as its face goes on."""
    scores = video.scores
    if scores is None:
        return None
    first, end = ticks
    track, track_id = int(video.track_id[first]), video.track_id
    while first > max(0, ticks[0] - n_ticks) and not video.breaks[first] and track_id[first - 1] == track:
        first -= 1
    while end < min(len(video), ticks[1] + n_ticks) and not video.breaks[end] and track_id[end] == track:
        end += 1
    return SyncSums.of(scores[first:end]).curve()


def _by_face(
    video: SyncMeasures, described: Mapping[TickRange, Float32Array], max_distance: float
) -> Sequence[Sequence[TickRange]]:
    """Return the stretches of each face: of one track, or, over a cut, with descriptors that are near each other.

    Args:
        video: the measurements.
        described: the mean descriptor of each stretch, empty where there is none.
        max_distance: largest distance of two descriptors of one face.
    """
    faces: list[tuple[set[int], Float32Array, list[TickRange]]] = []
    for ticks, mean in described.items():
        track = int(video.track_id[ticks[0]])
        for tracks, descriptor, members in faces:
            # of a stretch without a descriptor, only the track tells whose face it is
            known = mean.size > 0 and descriptor.size > 0
            near = known and float(np.linalg.norm(mean - descriptor)) <= max_distance
            if track in tracks or near:
                tracks.add(track)
                members.append(ticks)
                break
        else:
            faces.append(({track}, mean, [ticks]))
    return [members for _, _, members in faces]


def _judged_together(
    told: dict[TickRange, SyncedStretch],
    sums: Mapping[TickRange, SyncSums],
    wider: Mapping[TickRange, SyncCurve],
    settings: SyncSettings,
) -> dict[TickRange, SyncedStretch]:
    """Judge what is left open of one face by more ticks.

    Args:
        told: by its own curve, of each stretch of the face.
        sums: of each.
        wider: curves of short ones with the ticks around them.
        settings: limits.
    """
    whole = pooled(sums[ticks] for ticks in told).curve()
    for ticks, alone in list(told.items()):
        by_wider = _agreeing(alone, wider.get(ticks), settings)
        told[ticks] = _agreeing(by_wider, whole, settings)
    left = [ticks for ticks, stretch in told.items() if stretch.outcome == "undecided"]
    rest = pooled(sums[ticks] for ticks in left).curve()
    for ticks in left:
        for more in (rest, wider.get(ticks), told[ticks].curve):
            told[ticks] = _refuted(told[ticks], more, settings)
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
