"""Persons: face tracks grouped by likeness, by what the user says, and by the speaker ids of layouts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.identities.clustering import GroupMeans, agglomerate
from curation.identities.face_limits import FaceLimits
from curation.identities.face_tracks import FaceTracks
from curation.identities.link_file import LinkFileError, UserLinks
from curation.identities.links import Groups, Pair
from curation.identities.nearest import nearest
from foundation.array_types import BoolArray, Float32Array, Int64Array

__all__ = ["Persons", "Speaker", "persons_of_tracks"]

Speaker = tuple[str, str]
"""A source and a speaker id of its layout."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Persons:
    """Persons of N face tracks."""

    group: Int64Array
    """(N,) the person: the lowest number of its tracks."""
    confidence: Float32Array
    """(N,) chance that the track is this person and no other."""
    own_cosine: Float32Array
    """(N,) mean cosine to the other tracks of the person; NaN where there is none."""
    rival: Int64Array
    """(N,) group of the most similar other person; -1 where there is none."""
    rival_cosine: Float32Array
    """(N,) mean cosine to it; NaN where there is none."""
    kept_apart: BoolArray
    """(N,) whether something other than likeness keeps the track's person from being that one."""
    refused: tuple[Pair, ...]
    """Tracks of one speaker id that could not be made one person."""


def persons_of_tracks(
    tracks: FaceTracks,
    speakers: Mapping[int, Speaker],
    links: UserLinks,
    limits: FaceLimits,
    *,
    threads: int,
) -> Persons:
    """Group face tracks into persons.

    What the user says holds before all else. Faces seen at once are two people, tracks of one speaker id are one
    person, and those of two speaker ids of one source are two. Everything else follows from likeness: first within each
    video, then among all.

    Args:
        tracks: the tracks.
        speakers: by number of a track, whose the layout says it is.
        links: of the user.
        limits: of likeness.
        threads: of the search.

    Raises:
        LinkFileError: the user's links contradict each other.
    """
    together = Groups(len(tracks))
    together.join_all(links.must)
    same = together.all()
    for one, other in links.cannot:
        if same[one] == same[other]:
            names = [f"{tracks.video_id[k]}:{tracks.track_id[k]}" for k in (one, other)]
            raise LinkFileError(f"the links say that {names[0]} and {names[1]} are one person, and that they are not")
    apart = [*links.cannot, *(pair for pair in sorted(tracks.at_once) if same[pair[0]] != same[pair[1]])]
    groups = Groups(len(tracks), apart, speakers)
    groups.join_all(links.must, whatever=True)
    refused = groups.join_all(_chains(speakers))
    means = GroupMeans(tracks.descriptor, groups)
    for own in _of_videos(tracks):
        agglomerate(means, groups, np.unique(groups.all()[own]), limits.within, threads=threads)
    agglomerate(means, groups, np.flatnonzero(means.size), limits.across, threads=threads)
    said = np.zeros(len(tracks), dtype=np.bool_)
    said[[item for pair in links.must for item in pair]] = True
    return _judged(tracks, groups, means, limits, said, refused, threads)


def _chains(speakers: Mapping[int, Speaker]) -> list[Pair]:
    """Return pairs of tracks that make each speaker's tracks one."""
    members: dict[Speaker, list[int]] = defaultdict(list)
    for track, speaker in sorted(speakers.items()):
        members[speaker].append(track)
    return [(own[0], other) for own in members.values() for other in own[1:]]


def _of_videos(tracks: FaceTracks) -> list[Int64Array]:
    """Return the numbers of the tracks of each video that has several."""
    _, code, count = np.unique(np.array(tracks.video_id), return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    return [own for own in np.split(order, np.cumsum(count)[:-1]) if len(own) > 1]


def _judged(
    tracks: FaceTracks,
    groups: Groups,
    means: GroupMeans,
    limits: FaceLimits,
    said: BoolArray,
    refused: Sequence[Pair],
    threads: int,
) -> Persons:
    """Measure how well each track fits its person, and the most similar other one."""
    group = groups.all()
    people = np.unique(group)
    vectors = means.of(people)
    size = means.size[group]
    own = np.full(len(group), np.nan, dtype=np.float32)
    several = size > 1
    sums = means.of(group[several]) * size[several, None]
    own[several] = (np.einsum("nd,nd->n", sums, tracks.descriptor[several]) - 1.0) / (size[several] - 1)
    found = nearest(vectors, 2, queries=tracks.descriptor, threads=threads)
    is_other = (found.number >= 0) & (people[found.number] != group[:, None])
    column = is_other.argmax(axis=1)[:, None]
    known = is_other.any(axis=1)
    rival = np.where(known, people[np.take_along_axis(found.number, column, axis=1)[:, 0]], -1)
    rival_cosine = np.where(known, np.take_along_axis(found.score, column, axis=1)[:, 0], np.nan).astype(np.float32)
    one_video = _in_one_video(tracks, group)
    fits = np.where(one_video, limits.chance(own, within=True), limits.chance(own))
    confidence = np.minimum(np.where(several, fits, 1.0), np.where(known, 1.0 - limits.chance(rival_cosine), 1.0))
    return Persons(
        group=group,
        confidence=np.where(said, 1.0, confidence).astype(np.float32),
        own_cosine=own,
        rival=rival,
        rival_cosine=rival_cosine,
        kept_apart=np.array(
            [known[k] and not groups.may_join(int(group[k]), int(rival[k])) for k in range(len(group))], dtype=np.bool_
        ),
        refused=tuple(refused),
    )


def _in_one_video(tracks: FaceTracks, group: Int64Array) -> BoolArray:
    """Return (N,) whether all tracks of a track's person are of one video."""
    _, code = np.unique(np.array(tracks.video_id), return_inverse=True)
    lowest, highest = np.full(len(group), len(group)), np.full(len(group), -1)
    np.minimum.at(lowest, group, code)
    np.maximum.at(highest, group, code)
    result: BoolArray = lowest[group] == highest[group]
    return result
