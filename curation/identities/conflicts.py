"""What does not fit, in words: faces that a speaker id, another face or a voice contradicts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from curation.identities.face_limits import FaceLimits
from curation.identities.persons import Persons, Speaker
from foundation.array_types import Int64Array

__all__ = ["conflicts_of"]

_UNLIKELY = 0.05
"""Chance below which a face is unlike its person. Ours: at the limits of dlib, a cosine that is 0.03 below them."""


def conflicts_of(
    persons: Persons, ids: Sequence[str], speakers: Mapping[int, Speaker], limits: FaceLimits
) -> list[str | None]:
    """Return for each track what does not fit, in words; None where all does.

    Args:
        persons: of N tracks.
        ids: (N,) id of the person of each.
        speakers: by number of a track, whose the layout says it is.
        limits: of likeness.
    """
    words: dict[int, list[str]] = defaultdict(list)
    for one, other in persons.refused:
        words[other].append(
            f"speaker {speakers[other][1]} is {ids[one]} elsewhere, and this face is another: both are seen at once, "
            "or the file of links keeps them apart"
        )
    chance = limits.chance(persons.own_cosine)
    speaker_of_group = {int(persons.group[track]): speaker[1] for track, speaker in sorted(speakers.items())}
    for track in np.flatnonzero(chance < _UNLIKELY).tolist():
        if track in speakers:
            words[track].append(
                f"the face is unlike the other faces of speaker {speakers[track][1]}: mean cosine "
                f"{persons.own_cosine[track]:.3f}, the limit is {limits.across:.2f}"
            )
    for track in _more_like_another(persons, limits).tolist():
        rival = int(persons.rival[track])
        whose = f", speaker {speaker_of_group[rival]}" if rival in speaker_of_group else ""
        if persons.kept_apart[track]:
            why = (
                ", and must be another: both are seen at once, have different speaker ids, or the file of links says so"
            )
        else:
            why = f", more than like its own person ({persons.own_cosine[track]:.3f})"
        words[track].append(
            f"the face is like {ids[rival]}{whose} (mean cosine {persons.rival_cosine[track]:.3f}){why}"
        )
    return ["; ".join(words[track]) if track in words else None for track in range(len(ids))]


def _more_like_another(persons: Persons, limits: FaceLimits) -> Int64Array:
    """Return the tracks that are more like another person than the limit, and than their own."""
    own = np.where(np.isnan(persons.own_cosine), -1.0, persons.own_cosine)
    with np.errstate(invalid="ignore"):
        near = (persons.rival_cosine >= limits.across) & (persons.rival_cosine > own)
    return np.flatnonzero(near)
