"""Who speaks, of the faces of a video: the probability per face and tick, and whose turn it is."""

import math
from itertools import pairwise

import numpy as np
from pydantic import Field

from curation.evidence.measures import Evidence
from curation.rules.runs import true_runs
from foundation.array_types import BoolArray, Float32Array, Float64Array, Int64Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ

__all__ = ["SpeakerSettings", "speaking", "turns"]

_MOST_LOG_ODDS = 4.0
"""A single tick counts at most as this, in log odds: networks are surer than they are right."""

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
    sync_weight: float = Field(default=1.0, gt=0.0, le=10.0)
    """Weight of a tick of `frames.sync_scores`: log odds per unit of cosine above `sync_level`."""
    sync_level: float = Field(default=0.12, gt=0.0, lt=1.0)
    """Cosine at the video's offset, above that at other lags, that says neither that a face speaks nor that it does
    not."""


def speaking(
    evidence: Evidence, track: Int64Array, people: BoolArray, min_speech_prob: float, settings: SpeakerSettings
) -> Float32Array:
    """Return the probability that each face speaks, given all that was measured of its track.

    A track either speaks or listens, and changes between the two once in `turn_s` on average; the probability is that
    of the forward-backward algorithm on these two states. Evidence of a tick is `speaking_prob` where it was measured,
    else the cosine of lips and sound at the offset of the video. The latter counts only where there are two people: of
    one who is alone, the rule `sync` judges whole clips. A tick on which no speech is heard says nothing.

    Args:
        evidence: of T ticks and F faces.
        track: (F,) from `link_tracks`.
        people: (F,) the face is a sure one, and no picture on the wall.
        min_speech_prob: probability from which a tick counts as speech.
        settings: how long turns are, and what a tick counts.

    Returns:
        (F,) probabilities; NaN where nothing was measured.
    """
    faces = evidence.faces
    log_odds = np.full(len(faces), np.nan)
    if evidence.speech_prob is None:
        return log_odds.astype(np.float32)
    if faces.sync_scores is not None:
        together = np.bincount(faces.tick[people], minlength=len(evidence))[faces.tick] >= 2
        agreement = _agreement(faces.sync_scores)
        log_odds[together] = settings.sync_weight * (agreement[together] - settings.sync_level)
    if faces.speaking_prob is not None:
        seen = ~np.isnan(faces.speaking_prob)
        prob = np.clip(faces.speaking_prob[seen].astype(np.float64), 0.01, 0.99)
        log_odds[seen] = settings.speaking_weight * np.log(prob / (1.0 - prob))
    log_odds[~(evidence.speech_prob[faces.tick] >= min_speech_prob) & ~np.isnan(log_odds)] = 0.0
    log_odds = np.clip(log_odds, -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
    prob = np.full(len(faces), np.nan)
    for number in np.unique(track[~np.isnan(log_odds)]):
        rows = np.flatnonzero(track == number)
        prob[rows] = _smoothed(log_odds[rows], settings.turn_s)
    prob[np.isnan(log_odds)] = np.nan
    return prob.astype(np.float32)


def _agreement(scores: Float32Array) -> Float64Array:
    """Return (F,) cosine of lips and sound at the offset of the video, above that at other lags; NaN if unmeasured."""
    known = scores.astype(np.float64)
    n_known = np.count_nonzero(~np.isnan(known), axis=0)
    curve = np.nansum(known, axis=0) / np.maximum(n_known, 1)
    curve[n_known < n_known.max() / 2] = -np.inf  # lags that few ticks have are not compared with the others
    peak = int(np.argmax(curve))
    lag = np.abs(np.arange(scores.shape[1]) - peak)
    near, far = known[:, lag <= _SYNC_LAGS], known[:, lag >= _BASE_LAGS]
    n_far = np.count_nonzero(~np.isnan(far), axis=1)
    base = np.nansum(far, axis=1) / np.maximum(n_far, 1)
    return np.asarray(np.where(n_far > 0, near.mean(axis=1) - base, np.nan))


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
    likely = likely[np.argsort(prob[likely], kind="stable")]
    speaker[tick[likely]] = track[likely]  # the last assignment stays: the likeliest
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
