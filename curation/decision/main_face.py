"""The main face's measurements as one series over the ticks of a video, short misses interpolated."""

from typing import Any

import numpy as np

from curation.decision.tracks import faces_by_tick
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures, Faces
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape
from foundation.array_types import BoolArray, Int64Array
from manifests.schema.face_measures import FACE_MEASURES, FaceMeasure, Measured
from manifests.timeline import TICK_RATE_HZ

__all__ = ["main_face", "main_track"]


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
    bridge_ticks: int,
    min_rival_score: float,
    still: StillFaceSettings,
) -> MainTrack:
    """Choose the main face of every tick: of the tracks present, the one with the largest sum of widths.

    Only the ticks count on which the face moves in itself, so that a poster is not the main face beside one that lives;
    seen for long enough, it is no rival either. Where no track that is present ever moves, all of their ticks count.

    Args:
        evidence: T ticks with F faces.
        track: (F,) from `link_tracks`.
        cut: (T,) True where a shot begins.
        bridge_ticks: longest miss that is interpolated.
        min_rival_score: confidence below which another face is no rival.
        still: from which motion on a face lives.
    """
    faces, n = evidence.faces, len(evidence)
    width = np.bincount(track, weights=faces.width_px) if len(track) else np.zeros(0)
    living, picture = width, np.zeros(len(width), dtype=np.bool_)
    if len(np.unique(faces.tick)) < len(faces):  # else every face is the main one of its tick
        lives = _lives(faces, track, bridge_ticks, still)
        living = np.bincount(track, weights=faces.width_px * lives)
        picture = (living == 0) & (np.bincount(track) >= still.picture_s * TICK_RATE_HZ)
    face = np.full(n, -1, dtype=np.int64)
    track_id = np.full(n, -1, dtype=np.int64)
    rival_ratio = np.full(n, np.nan, dtype=np.float32)
    for first, end in faces_by_tick(faces.tick):
        if end - first == 1:
            continue
        tick = faces.tick[first]
        present = track[first:end]
        some_live = bool((living[present] > 0).any())
        chosen = first + int(np.argmax(living[present] if some_live else width[present]))
        sure = faces.score[first:end] >= min_rival_score
        if some_live:
            sure &= ~picture[present]
        sure[chosen - first] = False
        others = faces.width_px[first:end][sure]
        face[tick], track_id[tick] = chosen, track[chosen]
        rival_ratio[tick] = others.max() / faces.width_px[chosen] if len(others) else 0.0
    alone = np.flatnonzero(np.bincount(faces.tick, minlength=n)[faces.tick] == 1)
    face[faces.tick[alone]], track_id[faces.tick[alone]], rival_ratio[faces.tick[alone]] = alone, track[alone], 0.0

    shot = np.cumsum(cut)
    bridged = np.zeros(n, dtype=np.bool_)
    changes = np.zeros(n, dtype=np.bool_)
    found = np.flatnonzero(face >= 0)
    before, after = found[:-1], found[1:]
    # After a longer miss the run has ended anyway, and another face after it does not count as a change.
    joined = (shot[before] == shot[after]) & (after - before <= bridge_ticks + 1)
    same = track_id[before] == track_id[after]
    changes[after[joined & ~same]] = True
    for k in np.flatnonzero(joined & same & (after - before > 1)):
        miss = slice(before[k] + 1, after[k])
        bridged[miss] = evidence.decoded[miss]
        track_id[miss][bridged[miss]] = track_id[before[k]]
    return MainTrack(face=face, track_id=track_id, bridged=bridged, changes=changes, rival_ratio=rival_ratio)


def _lives(faces: Faces, track: Int64Array, bridge_ticks: int, settings: StillFaceSettings) -> BoolArray:
    """Return (F,) whether a face moves in itself around its tick; seen too briefly to tell, it does."""
    order = np.lexsort((faces.tick, track))
    tick, number = faces.tick[order], track[order]
    breaks = np.ones(len(order), dtype=np.bool_)
    breaks[1:] = (number[1:] != number[:-1]) | (tick[1:] - tick[:-1] > bridge_ticks + 1)
    motion = face_motion(own_shape(faces.key_points_px[order]), breaks, settings.window_ticks)
    lives = np.empty(len(order), dtype=np.bool_)
    lives[order] = ~(motion < settings.min_motion)
    return lives
