"""Who is who over time: faces linked into tracks, and the main track of every tick.

Everything here looks at the evidence of a whole video, so that windows need no state of their own.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pydantic import Field

from curation.box_overlap import link_boxes, paired_overlap
from curation.evidence import Evidence, Faces
from curation.settings import Settings
from manifests.arrays import BoolArray, Float32Array, Int64Array

__all__ = ["MainTrack", "TrackSettings", "link_tracks", "main_track"]

_ARCFACE_DIM = 512
"""Length of ArcFace's descriptor; dlib's has 128. A dataset has descriptors of one kind."""


class TrackSettings(Settings):
    """How faces are linked."""

    min_overlap: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Smallest intersection over union of the boxes of one face in adjacent sightings. Ours: a face that moves a third
    of its width between ticks still has 0.5."""
    max_descriptor_distance: float = Field(default=0.6, gt=0.0)
    """Largest Euclidean distance of a track's identity descriptors from second to second, where they are dlib's. 0.6 is
    dlib's own threshold for two pictures of one person."""
    max_arcface_distance: float = Field(default=1.26, gt=0.0, le=2.0)
    """The same where they are ArcFace's, whose length is 1: the distance at a cosine of 0.2, below which InsightFace's
    own demonstration calls two faces different persons."""


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


def link_tracks(evidence: Evidence, cut: BoolArray, bridge_ticks: int, settings: TrackSettings) -> Int64Array:
    """Return the track of every face: numbers from 0 in order of appearance.

    A face belongs to the track whose last box it overlaps most, if that was seen at most `bridge_ticks` + 1 ticks ago
    in the same shot. A track whose identity descriptor changes is cut where its box moved most between the two.

    Args:
        evidence: T ticks with F faces.
        cut: (T,) True where a shot begins.
        bridge_ticks: longest miss that a track survives.
        settings: names the thresholds.

    Returns:
        (F,) track numbers.
    """
    faces = evidence.faces
    track = np.full(len(faces), -1, dtype=np.int64)
    ticks, shots = faces.tick.tolist(), np.cumsum(cut)[faces.tick].tolist()
    # nearly always there is one face, and one that it can be: asked for all at once
    follows = paired_overlap(faces.box_px, np.roll(faces.box_px, 1, axis=0)) >= settings.min_overlap
    last_face: dict[int, int] = {}
    n_tracks = 0
    for first, end in _ticks_with_faces(faces.tick):
        open_tracks = [
            t for t, f in last_face.items() if ticks[first] - ticks[f] <= bridge_ticks + 1 and shots[first] == shots[f]
        ]
        if end - first == 1 and [last_face[t] for t in open_tracks] == [first - 1]:
            linked = {0: 0} if follows[first] else {}
        else:
            last_boxes = faces.box_px[[last_face[t] for t in open_tracks]]
            linked = link_boxes(faces.box_px[first:end], last_boxes, settings.min_overlap)
        for row, column in linked.items():
            track[first + row] = open_tracks[column]
        for face in range(first, end):
            if track[face] < 0:
                track[face] = n_tracks
                n_tracks += 1
        last_face = {t: last_face[t] for t in open_tracks} | {int(track[f]): f for f in range(first, end)}
    arcface = faces.descriptor.shape[1] == _ARCFACE_DIM
    return _split_by_identity(
        faces, track, settings.max_arcface_distance if arcface else settings.max_descriptor_distance
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
    for first, end in _ticks_with_faces(faces.tick):
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


def _ticks_with_faces(tick: Int64Array) -> list[tuple[int, int]]:
    """Return the half-open ranges of faces that share a tick."""
    if not len(tick):
        return []
    starts = np.flatnonzero(np.diff(tick, prepend=-1))
    return [(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(tick)], strict=True)]


def _split_by_identity(faces: Faces, track: Int64Array, max_distance: float) -> Int64Array:
    """Cut tracks between two descriptors that are too far apart, at the largest step of the box between them."""
    if not len(track):
        return track
    described = np.count_nonzero(np.isnan(faces.descriptor), axis=1) == 0
    track = track.copy()
    n_tracks = int(track.max()) + 1
    for number in range(n_tracks):
        members = np.flatnonzero(track == number)
        marks = members[described[members]]
        for before, after in pairwise(marks):
            if np.linalg.norm(faces.descriptor[after] - faces.descriptor[before]) <= max_distance:
                continue
            between = members[(members >= before) & (members <= after)]
            step = np.abs(np.diff(faces.box_px[between], axis=0)).max(axis=1)
            new_first = between[int(step.argmax()) + 1]
            track[members[members >= new_first]] = n_tracks
            n_tracks += 1
    return track
