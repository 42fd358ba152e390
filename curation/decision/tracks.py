"""Tracking: faces of a video linked over time by overlap and identity.

It works on the evidence of a full video, so that windows need no state of their own.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import Field

from curation.evidence.boxes import link_boxes, paired_overlap
from curation.evidence.measures import Evidence, Faces
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from foundation.array_types import BoolArray, Float32Array, Int64Array
from foundation.errors import UsageError
from foundation.settings import Settings

__all__ = ["TrackSettings", "faces_by_tick", "link_tracks", "parted_faces", "track_by_track"]


class TrackSettings(Settings):
    """Settings of the linking of faces to tracks."""

    min_overlap: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Smallest intersection over union of the boxes of one face in adjacent sightings. Ours: a face that moves a third
    of its width between ticks still has 0.5."""
    max_descriptor_distance: float = Field(default=0.6, gt=0.0)
    """Largest Euclidean distance of a track's identity descriptors from second to second, where they are dlib's. 0.6 is
    dlib's own threshold for two images of one person."""
    max_arcface_distance: float = Field(default=1.26, gt=0.0, le=2.0)
    """The same for descriptors of ArcFace, whose length is 1: the distance at a cosine of 0.2, below which
    InsightFace's own demonstration calls two faces different persons."""

    def max_distance(self, card: IdentityCard) -> float:
        """Return the largest distance of a track's descriptors from second to second.

        Those of dlib and of ArcFace are settings in here; a model of a user states its own in its card.
        """
        limit = card.same_person_distance
        distance: float = getattr(self, limit) if isinstance(limit, str) else limit
        return distance


def link_tracks(
    evidence: Evidence, cut: BoolArray, bridge_ticks: int, settings: TrackSettings, identity: str
) -> Int64Array:
    """Return the track of every face: numbers from 0 in order of appearance.

    A face belongs to the track whose last box it overlaps most, if that is at most `bridge_ticks` + 1 ticks old
    in the same shot. A track whose identity descriptor changes for good is cut where its box moved most in between.

    Args:
        evidence: T ticks with F faces.
        cut: (T,) True where a shot begins.
        bridge_ticks: longest miss that a track survives.
        settings: names the thresholds.
        identity: value of `perception.identity` that the evidence was measured with.

    Returns:
        (F,) track numbers.

    Raises:
        UnknownModelError: no such model is built in or registered.
        UsageError: its descriptors have another length than those of the evidence.
    """
    card = IDENTITIES.card(identity, IdentityCard)
    length = evidence.faces.descriptor.shape[1]
    if length not in (0, card.dim):  # 0: none was measured
        raise UsageError(
            f"the evidence has identity descriptors of {length} numbers, those of perception.identity={identity} have "
            f"{card.dim}; give the identity that it was measured with"
        )
    faces = evidence.faces
    track = _linked_by_boxes(faces, cut, bridge_ticks, settings.min_overlap)
    track = _split_by_identity(faces, track, settings.max_distance(card))
    return track if faces.parted is None else _split_where_parted(track, faces.parted)


def parted_faces(
    faces: Faces, track: Int64Array, cut: BoolArray, bridge_ticks: int, settings: TrackSettings
) -> BoolArray:
    """Return where descriptors, which are gone, had cut tracks: `Faces.parted`.

    Args:
        faces: F faces.
        track: (F,) their tracks, as `link_tracks` returned them.
        cut: as it was given to `link_tracks`.
        bridge_ticks: likewise.
        settings: likewise.
    """
    linked = _linked_by_boxes(faces, cut, bridge_ticks, settings.min_overlap)
    parted = np.zeros(len(faces), dtype=np.bool_)
    for number in np.unique(linked):
        members = np.flatnonzero(linked == number)
        parted[members[1:]] = track[members[1:]] != track[members[:-1]]
    return parted


def _linked_by_boxes(faces: Faces, cut: BoolArray, bridge_ticks: int, min_overlap: float) -> Int64Array:
    """Return the (F,) tracks that follow from overlap alone."""
    track = np.full(len(faces), -1, dtype=np.int64)
    shot = np.cumsum(cut, dtype=np.int64)[faces.tick]
    ticks, shots = faces.tick.tolist(), shot.tolist()
    # nearly always there is one face and one track that it can continue: computed for all ticks at once
    follows = paired_overlap(faces.box_px, np.roll(faces.box_px, 1, axis=0)) >= min_overlap
    groups = faces_by_tick(faces.tick)
    chain_end = _chain_ends(groups, faces.tick, shot, follows, bridge_ticks)
    last_face: dict[int, int] = {}
    n_tracks = group = 0
    while group < len(groups):
        first, end = groups[group]
        open_tracks = [
            t for t, f in last_face.items() if ticks[first] - ticks[f] <= bridge_ticks + 1 and shots[first] == shots[f]
        ]
        if end - first == 1 and [last_face[t] for t in open_tracks] == [first - 1]:
            if follows[first]:  # and so does every face up to the end of the chain
                group = chain_end[group]
                last = groups[group - 1][0]
                track[first : last + 1] = open_tracks[0]
                last_face = {open_tracks[0]: last}
                continue
            linked: dict[int, int] = {}
        else:
            last_boxes = faces.box_px[[last_face[t] for t in open_tracks]]
            linked = link_boxes(faces.box_px[first:end], last_boxes, min_overlap)
        for row, column in linked.items():
            track[first + row] = open_tracks[column]
        for face in range(first, end):
            if track[face] < 0:
                track[face] = n_tracks
                n_tracks += 1
        last_face = {t: last_face[t] for t in open_tracks} | {int(track[f]): f for f in range(first, end)}
        group += 1
    return track


def _chain_ends(
    groups: Sequence[tuple[int, int]], tick: Int64Array, shot: Int64Array, follows: BoolArray, bridge_ticks: int
) -> list[int]:
    """Return for each tick with faces the number of the first one after it that does not go on with its chain.

    In a chain, every tick has one face, which continues that of the tick before.

    Args:
        groups: half-open ranges of faces that share a tick.
        tick: (F,) of each face.
        shot: (F,) of each face.
        follows: (F,) whether its box continues that of the face before.
        bridge_ticks: longest miss that a track survives.
    """
    first = np.array([group[0] for group in groups], dtype=np.int64)
    alone = np.diff(first, append=len(tick)) == 1
    goes_on = np.zeros(len(first), dtype=np.bool_)
    before = first[1:] - 1
    goes_on[1:] = alone[1:] & alone[:-1] & follows[first[1:]]
    goes_on[1:] &= (tick[first[1:]] - tick[before] <= bridge_ticks + 1) & (shot[first[1:]] == shot[before])
    stops = np.append(np.flatnonzero(~goes_on), len(first))
    ends: list[int] = stops[np.searchsorted(stops, np.arange(len(first)), side="right")].tolist()
    return ends


def faces_by_tick(tick: Int64Array) -> list[tuple[int, int]]:
    """Return the half-open ranges of faces that share a tick."""
    if not len(tick):
        return []
    starts = np.flatnonzero(np.diff(tick, prepend=-1))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(tick)], strict=True))


def track_by_track(tick: Int64Array, track: Int64Array, bridge_ticks: int) -> tuple[Int64Array, BoolArray]:
    """Return the order of faces track by track, and where in it a face does not continue the one before.

    Args:
        tick: (F,) of each face.
        track: (F,) of each face.
        bridge_ticks: longest miss over which a face goes on.

    Returns:
        (F,) indices of faces, and (F,) True where a track begins, or goes on after a longer miss.
    """
    order = np.lexsort((tick, track))
    breaks = np.ones(len(order), dtype=np.bool_)
    breaks[1:] = (np.diff(track[order]) != 0) | (np.diff(tick[order]) > bridge_ticks + 1)
    return order, breaks


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
        for place, (before, after) in enumerate(pairwise(marks)):
            if _is_one_person(faces.descriptor[marks], place, max_distance):
                continue
            between = members[(members >= before) & (members <= after)]
            step = np.abs(np.diff(faces.box_px[between], axis=0)).max(axis=1)
            new_first = between[int(step.argmax()) + 1]
            track[members[members >= new_first]] = n_tracks
            n_tracks += 1
    return track


def _split_where_parted(track: Int64Array, parted: BoolArray) -> Int64Array:
    """Cut tracks at the faces that are parted from the sighting before, and number them as `_split_by_identity`."""
    track = track.copy()
    n_tracks = int(track.max(initial=-1)) + 1
    for number in range(n_tracks):
        members = np.flatnonzero(track == number)
        for first in members[parted[members]]:
            track[members[members >= first]] = n_tracks
            n_tracks += 1
    return track


def _is_one_person(descriptors: Float32Array, place: int, max_distance: float) -> bool:
    """Say whether the descriptors at `place` and after it are of one person.

    Two that are too far apart are still of one person if the sighting before or after them is near to both: a face that
    is turned or blurred for a moment has an odd descriptor, another person has another one on every sighting.

    Args:
        descriptors: (M, D) of a track, in order.
        place: of the first of the two.
        max_distance: largest distance of two that are near.
    """

    def near(one: int, other: int) -> bool:
        return bool(np.linalg.norm(descriptors[one] - descriptors[other]) <= max_distance)

    before, after = place, place + 1
    return (
        near(before, after)
        or (before > 0 and near(before - 1, before) and near(before - 1, after))
        or (after + 1 < len(descriptors) and near(after, after + 1) and near(before, after + 1))
    )
