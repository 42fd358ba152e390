"""The main face's measurements as one series over the ticks of a video, short misses interpolated."""

from dataclasses import dataclass

import numpy as np

from curation.decision.tracks import faces_by_tick
from curation.evidence.measures import Evidence, FaceMeasures, Faces
from foundation.array_types import BoolArray, Float32Array, Int64Array

__all__ = ["MainTrack", "main_face", "main_track"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MainTrack:
    """The face that a video is about, tick by tick."""

    face: Int64Array
    """(T,) index into `Faces` of the main face; -1 where there is none."""
    track_id: Int64Array
    """(T,) track of the main face; over a bridged miss, that of its neighbours; -1 else."""
    bridged: BoolArray
    """(T,) no face was found, but the miss is short and lies within one track, so that it is interpolated."""
    changes: BoolArray
    """(T,) the main track is another than at the last face before, in one shot and with no longer miss between."""
    rival_ratio: Float32Array
    """(T,) width of the widest other sure face over that of the main face; 0 where alone, NaN without a main face."""


def main_face(faces: Faces, main: MainTrack) -> FaceMeasures:
    """Return one row per tick: the main face; NaN without one; on bridged ticks linear between the sightings beside.

    Identity descriptors are not interpolated: a descriptor is a measurement of one picture.
    """
    n = len(main.face)
    seen = np.flatnonzero(main.face >= 0)
    index = main.face[seen]
    bridged = np.flatnonzero(main.bridged)
    right = np.searchsorted(seen, bridged)
    before, after = seen[right - 1], seen[np.minimum(right, len(seen) - 1)] if len(seen) else seen
    share = ((bridged - before) / np.maximum(after - before, 1)).astype(np.float32)

    def series(values: Float32Array, *, interpolate: bool = True) -> Float32Array:
        whole = np.full((n, *values.shape[1:]), np.nan, dtype=np.float32)
        whole[seen] = values[index]
        if interpolate and len(bridged):
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            whole[bridged] = whole[before] * (1 - weight) + whole[after] * weight
        return whole

    mask_measured = np.zeros(n, dtype=np.bool_)
    mask_measured[seen] = faces.mask_measured[index]

    return FaceMeasures(
        box_px=series(faces.box_px),
        score=series(faces.score),
        key_points_px=series(faces.key_points_px),
        landmarks_px=series(faces.landmarks_px),
        pose_deg=series(faces.pose_deg),
        blendshapes=None if faces.blendshapes is None else series(faces.blendshapes),
        lip_aperture=series(faces.lip_aperture),
        mask_prob=series(faces.mask_prob),
        mask_measured=mask_measured,
        sharpness=series(faces.sharpness),
        luma=series(faces.luma),
        descriptor=series(faces.descriptor, interpolate=False),
        jitter_points_px=None if faces.jitter_points_px is None else series(faces.jitter_points_px),
    )


def main_track(
    evidence: Evidence, track: Int64Array, cut: BoolArray, bridge_ticks: int, min_rival_score: float
) -> MainTrack:
    """Choose the main face of every tick: of the tracks present, the one with the largest sum of widths.

    Args:
        evidence: T ticks with F faces.
        track: (F,) from `link_tracks`.
        cut: (T,) True where a shot begins.
        bridge_ticks: longest miss that is interpolated.
        min_rival_score: confidence below which another face is no rival.
    """
    faces, n = evidence.faces, len(evidence)
    weight = np.bincount(track, weights=faces.width_px) if len(track) else np.zeros(0)
    face = np.full(n, -1, dtype=np.int64)
    track_id = np.full(n, -1, dtype=np.int64)
    rival_ratio = np.full(n, np.nan, dtype=np.float32)
    for first, end in faces_by_tick(faces.tick):
        if end - first == 1:
            continue
        tick = faces.tick[first]
        chosen = first + int(np.argmax(weight[track[first:end]]))
        sure = faces.score[first:end] >= min_rival_score
        sure[chosen - first] = False
        others = faces.width_px[first:end][sure]
        face[tick], track_id[tick] = chosen, track[chosen]
        rival_ratio[tick] = others.max() / faces.width_px[chosen] if len(others) else 0.0
    alone = np.flatnonzero(np.bincount(faces.tick, minlength=n)[faces.tick] == 1)
    face[faces.tick[alone]], track_id[faces.tick[alone]], rival_ratio[faces.tick[alone]] = alone, track[alone], 0.0

    shot = np.cumsum(cut)
    bridged = np.zeros(n, dtype=np.bool_)
    changes = np.zeros(n, dtype=np.bool_)
    seen = np.flatnonzero(face >= 0)
    before, after = seen[:-1], seen[1:]
    # After a longer miss the run has ended anyway: who comes back is nobody's change.
    joined = (shot[before] == shot[after]) & (after - before <= bridge_ticks + 1)
    same = track_id[before] == track_id[after]
    changes[after[joined & ~same]] = True
    for k in np.flatnonzero(joined & same & (after - before > 1)):
        miss = slice(before[k] + 1, after[k])
        bridged[miss] = evidence.decoded[miss]
        track_id[miss][bridged[miss]] = track_id[before[k]]
    return MainTrack(face=face, track_id=track_id, bridged=bridged, changes=changes, rival_ratio=rival_ratio)
