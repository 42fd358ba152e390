"""The main face's measurements as one series over the ticks of a video, short misses interpolated."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.decision.speaker_turns import SpeakerSettings, speaking, turns
from curation.decision.tracks import faces_by_tick, track_by_track
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures, Faces
from curation.rules.silence import SilenceSettings, lips_at_rest
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.schema.face_measures import FACE_MEASURES, FaceMeasure, Measured
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Rivals", "linked_track", "main_face", "main_track"]

_HEADROOM = 1.1
"""Side of the square in which a second face counts over that of a clip, whose square does not follow the head."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rivals:
    """Which of the other faces of a tick count beside the main one."""

    min_score: float
    """Confidence of the detector below which a face does not count."""
    face_ratio: float
    """Width of the face over that of the square that a clip shows."""

    def count(self, box_px: Float32Array, main: int, prob: Float32Array) -> BoolArray:
        """Return (f,) whether each face of a tick counts: not one that was measured and that the clip does not show.

        Args:
            box_px: (f, 4) boxes of the faces.
            main: number of the main one.
            prob: (f,) probability that each speaks; NaN where nothing was measured.
        """
        x0, y0, x1, y1 = box_px[main]
        middle = np.array([x0 + x1, y0 + y1]) / 2.0
        half = (x1 - x0) / 2.0 / self.face_ratio * _HEADROOM
        shown = ((box_px[:, :2] < middle + half) & (box_px[:, 2:] > middle - half)).all(axis=1)
        return np.asarray(shown | np.isnan(prob))


def main_face(faces: Faces, main: MainTrack) -> FaceMeasures:
    """Return the main face, one row per tick: NaN without one, linear between the detections around bridged ticks.

    Measures that are not interpolated are marked so where they are declared.
    """
    n = len(main.face)
    found = np.flatnonzero(main.face >= 0)
    index = main.face[found]
    bridged = np.flatnonzero(main.bridged)
    right = np.searchsorted(found, bridged)
    before, after = found[right - 1], found[np.minimum(right, len(found) - 1)] if len(found) else found
    share = ((bridged - before) / np.maximum(after - before, 1)).astype(np.float32)

    def series(values: Measured, measure: FaceMeasure) -> Measured:
        rows = measure.missing(n, *values.shape[1:])
        rows[found] = values[index]
        if measure.interpolated and len(bridged):
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            rows[bridged] = rows[before] * (1 - weight) + rows[after] * weight
        return rows

    columns: dict[str, Any] = {
        measure.field: None if (values := getattr(faces, measure.field)) is None else series(values, measure)
        for measure in FACE_MEASURES
    }
    return FaceMeasures(**columns)


def main_track(
    evidence: Evidence,
    track: Int64Array,
    cut: BoolArray,
    *,
    bridge_ticks: int,
    still: StillFaceSettings,
    rivals: Rivals,
    silence: SilenceSettings,
    speaker: SpeakerSettings,
) -> MainTrack:
    """Choose the main face of every tick: whose turn it is, or the track with the largest sum of widths.

    The latter is chosen where nobody is known to speak, and where the speaker is not seen. Only the ticks count on
    which the face moves in itself, so that a poster is not the main face beside one that lives; seen for long enough,
    it is no rival either. Where no track that is present ever moves, all of their ticks count.

    Args:
        evidence: T ticks with F faces.
        track: (F,) from `link_tracks`.
        cut: (T,) True where a shot begins.
        bridge_ticks: longest miss that is interpolated.
        still: from which motion on a face lives.
        rivals: which other faces count.
        silence: which ticks are speech, and which lips rest.
        speaker: how whose turn it is follows from what was measured.
    """
    faces, n = evidence.faces, len(evidence)
    width = np.bincount(track, weights=faces.width_px) if len(track) else np.zeros(0)
    living, picture = width, np.zeros(len(width), dtype=np.bool_)
    at_rest = np.zeros(len(faces), dtype=np.bool_)
    if len(np.unique(faces.tick)) < len(faces):  # else every face is the main one of its tick
        lives = _lives(faces, track, bridge_ticks, still)
        at_rest = ~lives | _lips_rest(faces, track, bridge_ticks, silence)
        living = np.bincount(track, weights=faces.width_px * lives)
        picture = (living == 0) & (np.bincount(track) >= still.picture_s * TICK_RATE_HZ)
    people = (faces.score >= rivals.min_score) & ~picture[track]
    prob = speaking(evidence, track, people, at_rest, silence.min_speech_prob, speaker)
    turn = turns(prob, faces.tick, track, people, cut, speaker.min_turn_s)
    face = np.full(n, -1, dtype=np.int64)
    rival_ratio, speaks_alone = (np.full(n, np.nan, dtype=np.float32) for _ in range(2))
    for first, end in faces_by_tick(faces.tick):
        if end - first == 1:
            continue
        tick = faces.tick[first]
        present = track[first:end]
        some_live = bool((living[present] > 0).any())
        of_turn = np.flatnonzero(present == turn[tick])
        chosen = int(of_turn[0]) if len(of_turn) else int(np.argmax(living[present] if some_live else width[present]))
        sure = faces.score[first:end] >= rivals.min_score
        if some_live:
            sure &= ~picture[present]
        sure[chosen] = False
        face[tick] = first + chosen
        speaks_alone[tick] = _alone(prob[first:end], chosen, sure)
        counts = sure & rivals.count(faces.box_px[first:end], chosen, prob[first:end])
        others = faces.width_px[first:end][counts]
        rival_ratio[tick] = others.max() / faces.width_px[first + chosen] if len(others) else 0.0
    alone = np.flatnonzero(np.bincount(faces.tick, minlength=n)[faces.tick] == 1)
    face[faces.tick[alone]], rival_ratio[faces.tick[alone]], speaks_alone[faces.tick[alone]] = alone, 0.0, prob[alone]
    return linked_track(evidence, track, cut, bridge_ticks, face, rival_ratio, speaks_alone)


def _alone(prob: Float32Array, chosen: int, sure: BoolArray) -> float:
    """Return the probability that the chosen face of a tick speaks and no other; NaN where none was measured.

    Args:
        prob: (f,) probability that each face of the tick speaks.
        chosen: number of the face.
        sure: (f,) the others that count.
    """
    others = prob[sure & ~np.isnan(prob)]
    if np.isnan(prob[chosen]) and not len(others):
        return math.nan
    own = 1.0 if np.isnan(prob[chosen]) else float(prob[chosen])
    return own * (1.0 - float(others.max(initial=0.0)))


def linked_track(
    evidence: Evidence,
    track: Int64Array,
    cut: BoolArray,
    bridge_ticks: int,
    face: Int64Array,
    rival_ratio: Float32Array,
    speaks_alone: Float32Array,
) -> MainTrack:
    """Return the main track, given the main face of each tick: its changes, and the misses that are bridged."""
    found = np.flatnonzero(face >= 0)
    track_id = np.full(len(face), -1, dtype=np.int64)
    track_id[found] = track[face[found]]
    shot = np.cumsum(cut)
    bridged = np.zeros(len(face), dtype=np.bool_)
    changes = np.zeros(len(face), dtype=np.bool_)
    before, after = found[:-1], found[1:]
    # After a longer miss the run has ended anyway, and another face after it does not count as a change.
    joined = (shot[before] == shot[after]) & (after - before <= bridge_ticks + 1)
    same = track_id[before] == track_id[after]
    changes[after[joined & ~same]] = True
    for k in np.flatnonzero(joined & same & (after - before > 1)):
        miss = slice(before[k] + 1, after[k])
        bridged[miss] = evidence.decoded[miss]
        track_id[miss][bridged[miss]] = track_id[before[k]]
    return MainTrack(
        face=face,
        track_id=track_id,
        bridged=bridged,
        changes=changes,
        rival_ratio=rival_ratio,
        speaks_alone=speaks_alone,
    )


def _lives(faces: Faces, track: Int64Array, bridge_ticks: int, settings: StillFaceSettings) -> BoolArray:
    """Return (F,) whether a face moves in itself around its tick; seen too briefly to tell, it does."""
    order, breaks = track_by_track(faces.tick, track, bridge_ticks)
    motion = face_motion(own_shape(faces.key_points_px[order]), breaks, settings.window_ticks)
    lives = np.empty(len(order), dtype=np.bool_)
    lives[order] = ~(motion < settings.min_motion)
    return lives


def _lips_rest(faces: Faces, track: Int64Array, bridge_ticks: int, silence: SilenceSettings) -> BoolArray:
    """Return (F,) whether the lips of each face hardly move."""
    order, breaks = track_by_track(faces.tick, track, bridge_ticks)
    rest = np.empty(len(order), dtype=np.bool_)
    rest[order] = lips_at_rest(faces.lip_aperture[order], breaks, silence)
    return rest
