"""Who speaks, of the faces of a video: the probability per face and tick, and whose turn it is."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.decision.tracks import faces_by_tick
from curation.evidence.measures import Evidence, Faces
from curation.rules.runs import true_runs
from foundation.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from foundation.settings import Settings
from manifests.sync_curve import LAGS, SURE_TICKS, SURE_Z, SyncSums
from manifests.timeline import TICK_RATE_HZ

__all__ = ["SpeakerSettings", "speaking", "turns"]

_SUREST_PROB = 0.99
"""A single tick counts at most as this probability: networks are surer than they are right."""

_AGAINST_OTHERS = 0.5
"""Share of what speaks for one face that speaks against the others: two whose lips both agree with the sound speak."""

_REACH_TICKS = 25
"""What was measured of a track holds for its ticks up to a second away, such as at the ends of a stretch."""

_COMPANY_TICKS = 25
"""Ticks on which two people have to be seen in a video for the scores of lips and sound to tell who speaks."""

_LEAST_ALONE = -0.2
"""Least log odds of a tick of lips and sound where nobody else is seen: for a second at a time, the lips of one who
speaks may agree with the sound no better than those of another would."""

_SYNC_LAGS = 1
"""Lags on either side of the video's own offset that are averaged: the peak of a curve is three ticks wide."""

_BASE_LAGS = 4
"""Lags from the offset on that are taken for another sound's, which is what a tick's peak is compared with."""


class SpeakerSettings(Settings):
    """Settings of the choice of the speaker among the faces of a video."""

    turn_s: float = Field(default=4.0, ge=0.5, le=60.0)
    """Length of a turn that is expected, seconds: the longer, the more it takes to hand the word from face to face."""
    min_turn_s: float = Field(default=1.0, ge=0.0, le=10.0)
    """A turn shorter than this, seconds, does not change the main face: "yes" and "mhm" are not worth a clip."""
    speaking_weight: float = Field(default=0.2, gt=0.0, le=1.0)
    """Weight of a tick of `frames.speaking_prob`, in its own log odds. Below 1, because adjacent ticks share what the
    network saw."""
    overlap_prob: float = Field(default=0.9, gt=0.5, lt=1.0)
    """Where one speaks, another has to reach this probability to speak at the same time: it is rare, and listeners move
    their lips."""
    sync_weight: float = Field(default=1.0, gt=0.0, le=10.0)
    """Weight of a tick of `frames.sync_scores`: log odds per unit of cosine above `sync_level`."""
    sync_level: float = Field(default=0.25, gt=0.0, lt=1.0)
    """Cosine at the video's offset, above that at other lags, that says neither that a face speaks nor that it does
    not."""


def speaking(
    evidence: Evidence,
    track: Int64Array,
    people: BoolArray,
    at_rest: BoolArray,
    min_speech_prob: float,
    settings: SpeakerSettings,
) -> Float32Array:
    """Return the probability that each face speaks, given all that was measured of its track and of those beside it.

    A track either speaks or listens, and changes between the two once in `turn_s` on average; the probability is that
    of the forward-backward algorithm on these two states. Evidence of a tick is `speaking_prob` and the cosine of lips
    and sound at their offset, whichever was measured. The latter counts only in videos in which two people are seen
    together: in others, the rule `sync` judges whole clips. Beside a face that was measured, one that was not is known
    to listen where it does not move, or only its lips do not. What speaks for one face speaks against the others, up to
    `overlap_prob`. A tick on which no speech is heard says nothing.

    Args:
        evidence: of T ticks and F faces.
        track: (F,) from `link_tracks`.
        people: (F,) the face is a sure one, and no picture on the wall.
        at_rest: (F,) the face does not move, or its lips do not.
        min_speech_prob: probability from which a tick counts as speech.
        settings: how long turns are, and what a tick counts.

    Returns:
        (F,) probabilities; NaN where nothing was measured.
    """
    faces = evidence.faces
    prob = np.full(len(faces), np.nan)
    if evidence.speech_prob is None or (faces.sync_scores is None and faces.speaking_prob is None):
        return prob.astype(np.float32)
    log_odds = _log_odds(faces, track, people, settings)
    beside = np.zeros(len(evidence), dtype=np.bool_)
    beside[faces.tick[~np.isnan(log_odds)]] = True
    rests = beside[faces.tick] & np.isnan(log_odds) & at_rest
    log_odds[rests] = settings.speaking_weight * _logit(np.array([1.0 - settings.overlap_prob]))
    log_odds -= _of_others(np.where(people, log_odds, np.nan), faces.tick, settings)
    measured = ~np.isnan(log_odds)
    log_odds[measured & ~(evidence.speech_prob[faces.tick] >= min_speech_prob)] = 0.0
    for number in np.unique(track[measured]):
        rows = np.flatnonzero(track == number)
        near = _distance(faces.tick[rows], measured[rows]) <= _REACH_TICKS
        prob[rows[near]] = _smoothed(log_odds[rows], settings.turn_s)[near]
    return prob.astype(np.float32)


def _log_odds(faces: Faces, track: Int64Array, people: BoolArray, settings: SpeakerSettings) -> Float64Array:
    """Return (F,) what each face says of itself, log odds that it speaks; NaN where nothing was measured."""
    known = []
    in_company = np.bincount(faces.tick[people], minlength=int(faces.tick.max(initial=-1)) + 1) >= 2
    if faces.sync_scores is not None and np.count_nonzero(in_company) >= _COMPANY_TICKS:
        agreement = settings.sync_weight * (_agreement(faces.sync_scores, track) - settings.sync_level)
        known.append(np.where(in_company[faces.tick], agreement, np.maximum(agreement, _LEAST_ALONE)))
    if faces.speaking_prob is not None:
        known.append(settings.speaking_weight * _logit(faces.speaking_prob))
    if not known:
        return np.full(len(faces), np.nan)
    total = np.where(np.isnan(known).all(axis=0), np.nan, np.nansum(known, axis=0))
    most = settings.speaking_weight * float(_logit(np.array([_SUREST_PROB]))[0])
    return np.asarray(np.clip(total, -most, most))


def _of_others(log_odds: Float64Array, tick: Int64Array, settings: SpeakerSettings) -> Float64Array:
    """Return (F,) the log odds of the likeliest other speaker beside each face, between 0 and that of `overlap_prob`.

    Args:
        log_odds: (F,) of each face; NaN where it does not count.
        tick: (F,) of each face, ascending.
        settings: name the limit.
    """
    most = settings.speaking_weight * float(_logit(np.array([settings.overlap_prob]))[0])
    counted = np.clip(_AGAINST_OTHERS * np.nan_to_num(log_odds, nan=0.0), 0.0, most)
    others = np.zeros(len(tick))
    order = np.lexsort((counted, tick))
    last = np.append(np.flatnonzero(np.diff(tick)), len(tick) - 1) if len(tick) else np.zeros(0, dtype=np.int64)
    first = np.append(0, last[:-1] + 1) if len(tick) else last
    group = np.repeat(np.arange(len(last)), last - first + 1)
    highest = order[last]
    second = np.where(last > first, counted[order[np.maximum(last - 1, 0)]], 0.0)
    others[:] = counted[highest][group]
    others[highest] = second
    return others


def _distance(tick: Int64Array, marked: BoolArray) -> Int64Array:
    """Return (n,) ticks from each of n ascending ticks to the nearest marked one, of which there is one at least."""
    marks = tick[marked]
    after = np.searchsorted(marks, tick)
    before, following = marks[np.maximum(after - 1, 0)], marks[np.minimum(after, len(marks) - 1)]
    return np.asarray(np.minimum(np.abs(tick - before), np.abs(tick - following)))


def _logit(prob: npt.NDArray[np.floating[Any]]) -> Float64Array:
    bounded = np.clip(prob.astype(np.float64), 1.0 - _SUREST_PROB, _SUREST_PROB)
    return np.asarray(np.log(bounded / (1.0 - bounded)))


def _agreement(scores: Float32Array, track: Int64Array) -> Float64Array:
    """Return (F,) cosine of lips and sound at their offset, above that at other lags; NaN where it was not measured.

    The offset is that of the track where it is sure, for two people on two lines have two; else that of the video.
    """
    agreement = np.full(len(scores), np.nan)
    measured = np.flatnonzero(~np.isnan(scores).all(axis=1))
    video = SyncSums.of(scores[measured]).curve()
    if video is None:
        return agreement
    for number in np.unique(track[measured]):
        rows = measured[track[measured] == number]
        own = SyncSums.of(scores[rows]).curve()
        sure = own is not None and own.z >= SURE_Z and own.n_ticks >= SURE_TICKS
        lag = np.abs(LAGS - (own if own is not None and sure else video).peak_lag)
        known = scores[rows].astype(np.float64)
        far = known[:, lag >= _BASE_LAGS]
        n_far = np.count_nonzero(~np.isnan(far), axis=1)
        base = np.nansum(far, axis=1) / np.maximum(n_far, 1)
        agreement[rows] = known[:, lag <= _SYNC_LAGS].mean(axis=1) - base
    return agreement


def _smoothed(log_odds: Float64Array, turn_s: float) -> Float64Array:
    """Return (n,) probability of the first of two states, by the forward-backward algorithm.

    Args:
        log_odds: (n,) of each tick alone; NaN says nothing.
        turn_s: mean time in a state.
    """
    evidence = np.nan_to_num(log_odds).tolist()
    forward, backward = _filtered(evidence, turn_s), _filtered(evidence[::-1], turn_s)[::-1]
    total = np.asarray(forward) + np.asarray(backward) + np.asarray(evidence)
    return np.asarray(1.0 / (1.0 + np.exp(-total)))


def _filtered(evidence: list[float], turn_s: float) -> list[float]:
    """Return the log odds of each tick by the ticks before it."""
    stay = math.exp(-1.0 / (turn_s * float(TICK_RATE_HZ)))
    odds, before = 0.0, []
    for tick in evidence:
        before.append(odds)
        prob = 1.0 / (1.0 + math.exp(-(odds + tick)))
        prob = 0.5 + (prob - 0.5) * stay
        odds = math.log(prob / (1.0 - prob))
    return before


def turns(
    prob: Float32Array, tick: Int64Array, track: Int64Array, people: BoolArray, cut: BoolArray, min_turn_s: float
) -> Int64Array:
    """Return whose turn it is on each tick: the track that speaks, and in a pause the one that spoke before or will.

    Of two that speak at once, it stays with the one whose turn it was.

    Args:
        prob: (F,) from `speaking`.
        tick: (F,) of each face, ascending.
        track: (F,) of each face.
        people: (F,) the face may be a speaker.
        cut: (T,) True where a shot begins, over which no turn goes on.
        min_turn_s: shorter turns are ignored, seconds.

    Returns:
        (T,) numbers of tracks; -1 in a shot in which nobody is known to speak.
    """
    n = len(cut)
    speaker = np.full(n, -1, dtype=np.int64)
    likely = np.flatnonzero(people & (prob >= 0.5))
    before = -1
    for first, end in faces_by_tick(tick[likely]):
        here = likely[first:end]
        if before not in track[here]:
            before = int(track[here[np.argmax(prob[here])]])
        speaker[tick[here[0]]] = before
    starts = np.ones(n, dtype=np.bool_)
    starts[1:] = (speaker[1:] != speaker[:-1]) | cut[1:]
    for first, end in true_runs(speaker >= 0, starts):
        if end - first < min_turn_s * TICK_RATE_HZ:
            speaker[first:end] = -1
    shots = [0, *np.flatnonzero(cut[1:]) + 1, n]
    for first, end in pairwise(shots):
        known = first + np.flatnonzero(speaker[first:end] >= 0)
        if len(known):
            nearest = np.searchsorted((known[1:] + known[:-1] + 1) // 2, np.arange(first, end), side="right")
            speaker[first:end] = speaker[known[nearest]]
    return speaker
