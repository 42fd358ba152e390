"""Persons that a dataset knows, and which of them a new face is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from curation.identities.clustering import unit
from curation.identities.face_limits import FaceLimits, limits_of
from curation.identities.nearest import nearest
from foundation.array_types import Float32Array
from manifests.errors import DatasetError
from manifests.files.tables import read_table
from manifests.schema.arrow_arrays import numpy_of

__all__ = ["KnownPersons", "PersonMatch", "persons_of"]


class PersonMatch(NamedTuple):
    """Person whose face a descriptor is."""

    person_id: str
    confidence: float
    """Chance that it is this person and no other known one, 0.5 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownPersons:
    """Persons with the mean of their descriptors."""

    person_ids: tuple[str, ...]
    """P ids, sorted."""
    means: Float32Array
    """(P, D) means over the clips of each, of descriptors of length 1."""
    limits: FaceLimits

    @classmethod
    def of_dataset(cls, dataset: Path, identity: str) -> "KnownPersons":
        """Read the persons of a dataset's clips; none before `gaia-curate identities`, or without descriptors.

        Args:
            dataset: the folder.
            identity: value of `perception.identity` that it was made with.

        Raises:
            DatasetError: the table is damaged, or its descriptors differ in length.
            UnknownModelError: no such model is built in or registered.
        """
        clips = read_table(dataset, "clips", ["person_id", "identity"])
        clips = clips.filter(pc.and_(pc.is_valid(clips["person_id"]), pc.is_valid(clips["identity"])))
        vectors = [vector for vector in numpy_of(clips["identity"]) if vector is not None]
        if not vectors:
            return cls(person_ids=(), means=np.zeros((0, 0), np.float32), limits=limits_of(identity, 1.0))
        if len({len(vector) for vector in vectors}) > 1:
            raise DatasetError(f"{dataset}: descriptors of `clips` differ in length; run the curation again")
        block = np.stack(vectors).astype(np.float32)
        names, code = np.unique(np.array(clips["person_id"].to_pylist()), return_inverse=True)
        means = np.zeros((len(names), block.shape[1]), dtype=np.float32)
        np.add.at(means, code, unit(block))
        return cls(
            person_ids=tuple(names.tolist()),
            means=(means / np.bincount(code)[:, None]).astype(np.float32),
            limits=limits_of(identity, float(np.median(np.linalg.norm(block, axis=1)))),
        )


def persons_of(descriptors: Float32Array, known: KnownPersons, *, threads: int = 1) -> Sequence[PersonMatch | None]:
    """Return for each face which known person it is; None for a face that is none of them.

    Args:
        descriptors: (N, D) of faces of other videos than those of `known`, of any length above 0.
        known: the persons.
        threads: of the search.
    """
    if not len(descriptors) or not known.person_ids:
        return [None] * len(descriptors)
    found = nearest(known.means, 2, queries=unit(descriptors), threads=threads)
    chance = known.limits.chance(found.score)
    rival = chance[:, 1] if chance.shape[1] > 1 else np.zeros(len(chance))
    return [
        PersonMatch(known.person_ids[number], float(min(fits, 1.0 - other))) if fits >= 0.5 else None
        for number, fits, other in zip(found.number[:, 0].tolist(), chance[:, 0], rival, strict=True)
    ]
