"""What the rule `sync` says of stretches by their own ticks alone: measured first, then judged, all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.evidence.sync_measures import SyncMeasures
from curation.rules.sync_settings import SyncSettings
from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.score_sums import StretchSums, sums_between
from manifests.sync_curve import SyncCurve, confidences
from manifests.timeline import TICK_RATE_HZ, TickRange
from manifests.vocabulary import SyncOutcome, SyncReason

__all__ = ["JudgedAlone", "StretchMeasures", "VideoStretches", "judged_alone", "stretch_measures"]

VideoStretches = tuple[SyncMeasures, Sequence[TickRange]]
"""A video, and stretches of it as half-open ranges of ticks, one at least."""

_LEAST_MEASURED = 0.5
"""A stretch of which less was measured is not judged by the rest."""

_COVERED_PROB = 0.5
"""Mean probability of a covered mouth from which the lips are not seen."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class StretchMeasures:
    """What S stretches are judged by."""

    n_ticks: Float64Array
    """(S,) their lengths."""
    has_sound: BoolArray
    """(S,) whether their video has sound."""
    sums: StretchSums
    """Of their scores."""
    n_speech: Float64Array
    """(S,) ticks with speech."""
    n_pictures: Float64Array
    """(S,) different pictures."""
    turn_deg: Float32Array
    """(S,) mean turn of the head to a side."""
    mask_prob: Float32Array
    """(S,) mean probability of a covered mouth."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class JudgedAlone:
    """What S stretches are by their own ticks, whatever the other stretches are."""

    outcome: Sequence[SyncOutcome]
    reason: Sequence[SyncReason | None]
    """Why each was not measured; None where it was."""
    sums: StretchSums
    """Of their scores."""
    mean: Float32Array
    """(S, 31) their curves."""

    @property
    def measured(self) -> list[int]:
        """Places of the stretches that were measured."""
        return [place for place, reason in enumerate(self.reason) if reason is None]

    def curve(self, place: int) -> SyncCurve:
        """Return the curve of a stretch that was measured."""
        return SyncCurve(self.mean[place], int(self.sums.n_ticks[place]))


def stretch_measures(videos: Sequence[VideoStretches], *, min_speech_prob: float) -> StretchMeasures:
    """Measure stretches, S of all videos together.

    Args:
        videos: one or more.
        min_speech_prob: probability from which a tick counts as speech.
    """
    rows: list[tuple[float | np.number, ...]] = []
    for video, stretches in videos:
        has_sound = video.speech_prob is not None
        speaks = np.zeros(len(video), np.bool_) if video.speech_prob is None else video.speech_prob >= min_speech_prob
        turn_deg = np.abs(video.yaw_deg)
        rows += [
            (
                end - first,
                has_sound,
                np.count_nonzero(speaks[first:end]),
                1 + np.count_nonzero(video.moved[first + 1 : end]),
                np.add.reduce(turn_deg[first:end]),
                np.add.reduce(video.mask_prob[first:end]),
            )
            for first, end in stretches
        ]
    n_ticks, has_sounds, n_speech, n_pictures, turn_sum_deg, mask_sum = np.array(rows, np.float64).reshape(-1, 6).T
    return StretchMeasures(
        n_ticks=n_ticks,
        has_sound=has_sounds > 0.0,
        sums=sums_between([(video.score_sums, np.array(stretches)) for video, stretches in videos]),
        n_speech=n_speech,
        n_pictures=n_pictures,
        # as `np.mean` has it: sums in single precision, divided in double precision
        turn_deg=(turn_sum_deg / n_ticks).astype(np.float32),
        mask_prob=(mask_sum / n_ticks).astype(np.float32),
    )


def judged_alone(measures: StretchMeasures, settings: SyncSettings) -> JudgedAlone:
    """Judge stretches by their own ticks.

    One is in sync from `in_sync_z` on; with less, it is undecided if it is short, and else not in sync below the limit
    of its length.
    """
    sums, mean = measures.sums, measures.sums.means()
    heights = (confidences(mean).astype(np.float64) * np.sqrt(sums.n_ticks.astype(np.float64))).tolist()
    reasons = _reasons(measures, mean, settings)
    outcomes = [
        _outcome(z, n_ticks, settings) if reason is None else "not_measured"
        for reason, z, n_ticks in zip(reasons, heights, sums.n_ticks.tolist(), strict=True)
    ]
    return JudgedAlone(outcome=outcomes, reason=reasons, sums=sums, mean=mean)


def _reasons(measures: StretchMeasures, mean: Float32Array, settings: SyncSettings) -> list[SyncReason | None]:
    """Return why each of S stretches, with (S, 31) curves, cannot be judged; None where it can."""
    n_ticks, n_scored = measures.n_ticks, measures.sums.n_ticks
    checks: dict[SyncReason, BoolArray] = {
        "no_sound": ~measures.has_sound,
        "no_scores": n_scored < _LEAST_MEASURED * n_ticks,
        "few_ticks": (n_scored < settings.min_ticks) | np.all(np.isnan(mean), axis=1),
        "little_speech": measures.n_speech / n_ticks < settings.min_speech,
        # a stretch may hold one picture less than its length times the rate
        "few_pictures": (measures.n_pictures + 1) * float(TICK_RATE_HZ) < settings.min_pictures_hz * n_ticks,
        "turned": measures.turn_deg.astype(np.float64) > settings.max_yaw_deg,
        "covered": measures.mask_prob.astype(np.float64) > _COVERED_PROB,
    }
    names: list[SyncReason | None] = [*checks, None]
    first = np.argmax(np.stack([*checks.values(), np.ones(len(n_ticks), np.bool_)]), axis=0)
    return [names[number] for number in first.tolist()]


def _outcome(z: float, n_ticks: int, settings: SyncSettings) -> SyncOutcome:
    if z >= settings.in_sync_z:
        return "in_sync"
    if n_ticks < settings.sure_ticks or z >= settings.refuted_below(n_ticks):
        return "undecided"
    return "not_in_sync"
