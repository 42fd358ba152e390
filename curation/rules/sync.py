"""Rule `sync`: lips and sound belong together (GAIA section 3, third policy: "not aligned" is to be dropped).

It judges the stretches that pass all other rules of tier `diffusion`, each as a whole. What is said of a stretch
follows from the scores in the evidence, so that a later decision needs no network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdicts
from foundation.array_types import Float32Array
from foundation.settings import Settings
from manifests.sync_curve import SURE_TICKS, SURE_Z, SyncCurve, SyncSums, pooled
from manifests.timeline import TICK_RATE_HZ, TickRange
from manifests.vocabulary import SyncOutcome, SyncReason

__all__ = ["NOTHING_JUDGED", "SyncSettings", "SyncedStretch", "VideoSync", "judge_sync"]

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


class SyncSettings(Settings):
    """Settings of the rule `sync`, and of the repair of late or early sound."""

    drop: Literal["nothing", "not_in_sync", "all_but_in_sync"] = "not_in_sync"
    """What leaves tier `diffusion`: `nothing`, only what is not in sync, or also what is undecided or not measured."""
    in_sync_z: float = Field(default=4.0, gt=0.0)
    """From this z on a stretch is in sync. Ours: the sound of another person reaches it in 1 % of clips."""
    not_in_sync_z: float = Field(default=3.0, gt=0.0)
    """Below this z a stretch is not in sync, if it has `sure_ticks`. Ours: finds 90 % of other people's sound and loses
    0.4 % of what is in sync."""
    sure_ticks: int = Field(default=SURE_TICKS, ge=1)
    """Fewest ticks by which a stretch, or all of a face that are left open, can be not in sync: 5 s, less the edges,
    which have no score."""
    long_not_in_sync_z: float = Field(default=3.5, gt=0.0)
    """The same as `not_in_sync_z` from `long_ticks` on. Ours: finds 98 %, and loses none of 117 clips in sync."""
    long_ticks: int = Field(default=186, ge=1)
    """Ticks from which `long_not_in_sync_z` holds: 8 s, less the edges."""
    min_ticks: int = Field(default=61, ge=1)
    """Fewest ticks with a score: 3 s, less the edges. A stretch with fewer is not measured."""
    same_offset_ticks: float = Field(default=2.0, ge=0.0)
    """A stretch has the offset of its face, or of its video, where the two lie at most this far apart, ticks."""
    min_speech: float = Field(default=0.5, ge=0.0, le=1.0)
    """Smallest share of ticks with speech; with less, a stretch is not measured: silence agrees with any lips."""
    min_pictures_hz: float = Field(default=20.0, ge=0.0, le=25.0)
    """Fewest different pictures a second. Ours: of files with 15, two of three fail, with 20 they pass."""
    max_yaw_deg: float = Field(default=40.0, gt=0.0, le=90.0)
    """Largest mean turn of the head to a side, degrees, at which the lips show enough."""
    repair: Literal["off", "auto"] = "off"
    """`auto`: the sound of a video is moved by its offset before its clips are cut, where the offset is sure."""
    repair_z: float = Field(default=SURE_Z, gt=0.0)
    """From this z on, over all stretches of a video together, its offset is sure, if they have `sure_ticks`."""
    min_repair_ticks: float = Field(default=1.5, ge=0.0, le=15.0)
    """Smallest offset that is repaired, ticks of 40 ms: half a tick more than the measurement errs."""
    max_repair_ticks: float = Field(default=12.0, gt=0.0, le=14.0)
    """Largest offset that is repaired, ticks: the lags end at 15, and a peak near the end may be another's flank."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        lowest = max(self.not_in_sync_z, self.long_not_in_sync_z)
        if lowest > self.in_sync_z:
            raise ValueError(f"in_sync_z {self.in_sync_z} is below {lowest}, up to which a stretch is not in sync")
        if self.min_repair_ticks > self.max_repair_ticks:
            raise ValueError(f"min_repair_ticks {self.min_repair_ticks} is above max_repair_ticks")
        return self

    def refuted_below(self, n_ticks: int) -> float | None:
        """Return the z below which `n_ticks` are not in sync; None where they are too few to tell."""
        if n_ticks < self.sure_ticks:
            return None
        return self.long_not_in_sync_z if n_ticks >= self.long_ticks else self.not_in_sync_z


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
    video: MeasuredVideo,
    stretches: Sequence[TickRange],
    settings: SyncSettings,
    *,
    min_speech_prob: float,
    max_distance: float,
) -> VideoSync:
    """Judge stretches of a video that satisfy every other rule of tier `diffusion`.

    A stretch is first judged by its own curve. What that leaves open is judged by that of all stretches of its face: in
    sync where they are and its own peak lies at their offset, and not in sync where neither its own z nor that of all
    that is left open of the face reaches the limit.

    Args:
        video: the measurements.
        stretches: half-open ranges of ticks, each within one track.
        settings: limits.
        min_speech_prob: probability from which a tick counts as speech.
        max_distance: largest distance of two identity descriptors of one face.
    """
    drops = _DROPS[settings.drop]
    sums: dict[TickRange, SyncSums] = {}
    told: dict[TickRange, SyncedStretch] = {}
    for ticks in stretches:
        reason, own = _measured(video, ticks, settings, min_speech_prob)
        if own is None:
            told[ticks] = SyncedStretch(ticks=ticks, outcome="not_measured", reason=reason, limit=settings.in_sync_z)
        else:
            sums[ticks] = own
            told[ticks] = _judged_alone(ticks, own, settings)
    for of_face in _by_face(video, list(sums), max_distance):
        told |= _judged_together({ticks: told[ticks] for ticks in of_face}, sums, settings)
    return VideoSync(
        stretches=tuple(replace(told[ticks], dropped=told[ticks].outcome in drops) for ticks in stretches),
        curve=pooled(sums.values()).curve(),
    )


def _measured(
    video: MeasuredVideo, ticks: TickRange, settings: SyncSettings, min_speech_prob: float
) -> tuple[SyncReason | None, SyncSums | None]:
    """Return the sums of a stretch, or why it cannot be judged."""
    own, n_ticks = slice(*ticks), ticks[1] - ticks[0]
    face, speech_prob = video.face, video.evidence.speech_prob
    if speech_prob is None:
        return "no_sound", None
    if face.sync_scores is None:
        return "no_scores", None
    sums = SyncSums.of(face.sync_scores[own])
    points = face.key_points_px[own]
    n_pictures = 1 + int(np.count_nonzero(np.any(points[1:] != points[:-1], axis=(1, 2))))
    checks: dict[SyncReason, bool] = {
        "no_scores": sums.n_ticks < _LEAST_MEASURED * n_ticks,
        "few_ticks": sums.n_ticks < settings.min_ticks or sums.curve() is None,
        "little_speech": float(np.mean(speech_prob[own] >= min_speech_prob)) < settings.min_speech,
        # a stretch may hold one picture less than its length times the rate
        "few_pictures": (n_pictures + 1) * float(TICK_RATE_HZ) < settings.min_pictures_hz * n_ticks,
        "turned": float(np.mean(np.abs(face.pose_deg[own, 1]))) > settings.max_yaw_deg,
        "covered": float(np.mean(face.mask_prob[own])) > _COVERED_PROB,
    }
    reason = next((reason for reason, holds in checks.items() if holds), None)
    return reason, sums if reason is None else None


def _judged_alone(ticks: TickRange, sums: SyncSums, settings: SyncSettings) -> SyncedStretch:
    curve = sums.curve()
    if curve is None:
        raise AssertionError(f"stretch {ticks} was measured and has no curve")
    refuted_below = settings.refuted_below(curve.n_ticks)
    outcome: SyncOutcome = "undecided"
    limit = settings.in_sync_z
    if curve.z >= settings.in_sync_z:
        outcome = "in_sync"
    elif refuted_below is not None and curve.z < refuted_below:
        outcome, limit = "not_in_sync", refuted_below
    return SyncedStretch(ticks=ticks, outcome=outcome, curve=curve, value=curve.z, limit=limit)


def _by_face(
    video: MeasuredVideo, stretches: Sequence[TickRange], max_distance: float
) -> Sequence[Sequence[TickRange]]:
    """Return the stretches of each face: of one track, or, over a cut, with descriptors that are near each other."""
    faces: list[tuple[set[int], Float32Array, list[TickRange]]] = []
    for ticks in stretches:
        own = slice(*ticks)
        track = int(video.main.track_id[ticks[0]])
        described = video.face.descriptor[own]
        described = described[~np.isnan(described).any(axis=1)]
        mean = described.mean(axis=0) if len(described) else np.zeros(0, np.float32)
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
    told: dict[TickRange, SyncedStretch], sums: dict[TickRange, SyncSums], settings: SyncSettings
) -> dict[TickRange, SyncedStretch]:
    """Judge what is left open of one face by what its stretches say together."""
    whole = pooled(sums[ticks] for ticks in told).curve()
    if whole is not None and whole.z >= settings.in_sync_z:
        told = {ticks: _agreeing(stretch, whole, settings) for ticks, stretch in told.items()}
    left = [ticks for ticks, stretch in told.items() if stretch.outcome == "undecided"]
    rest = pooled(sums[ticks] for ticks in left).curve()
    limit = None if rest is None else settings.refuted_below(rest.n_ticks)
    if rest is None or limit is None or rest.z >= limit:
        return told
    refuted = {
        ticks: replace(told[ticks], outcome="not_in_sync", value=rest.z, limit=limit)
        for ticks in left
        if (curve := told[ticks].curve) is not None and curve.z < limit
    }
    return told | refuted


def _agreeing(stretch: SyncedStretch, whole: SyncCurve, settings: SyncSettings) -> SyncedStretch:
    """Return a stretch, in sync if it was left open and has the offset of its face as a whole, which is in sync."""
    curve = stretch.curve
    if stretch.outcome != "undecided" or curve is None:
        return stretch
    if abs(curve.offset_ticks - whole.offset_ticks) > settings.same_offset_ticks:
        return stretch
    return replace(stretch, outcome="in_sync", value=whole.z, limit=settings.in_sync_z)


@register(name="sync", settings=SyncSettings, words="agreement of lips and sound, z", keeps="at least")
def _judge(_video: MeasuredVideo, _settings: SyncSettings) -> Verdicts:
    # The stretches are known only once all other rules are applied, and `decide` judges them then.
    return {}
