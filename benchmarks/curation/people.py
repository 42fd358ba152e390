"""How well and how fast faces are grouped into persons: `python -m benchmarks.curation.people talk|made ...`.

`talk DATASET MANIFEST` compares a dataset of videos with known people, of which a manifest (a table of file, people and
identity, separated by tabs) tells, at several limits; `made N` groups N made descriptors. Each prints one line of JSON.
"""

import argparse
import csv
import json
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np

from curation.identities.face_tracks import FaceTracks, read_face_tracks
from curation.identities.limits import FaceLimits, limits_of
from curation.identities.link_file import UserLinks
from curation.identities.persons import persons_of_tracks
from foundation.array_types import BoolArray, Int64Array
from manifests.files.tables import read_table
from manifests.timeline import TICK_RATE_HZ

__all__ = ["main", "made_tracks", "pair_scores"]

_DIM = 128

_BETWEEN = 0.108
"""Variance of people around the mean face, over its squared length: strangers then have cosines about 0.88."""

_INSIDE = 0.028
"""The same of the tracks of a person: their cosines are about 0.975. Both are as on real tracks of dlib's descriptor."""


def made_tracks(n: int, seed: int = 0) -> tuple[FaceTracks, Int64Array]:
    """Return n made face tracks, one a video, and the (n,) person of each; people have 1 to 200 tracks."""
    random = np.random.default_rng(seed)
    sizes = np.minimum(200, np.ceil(random.pareto(1.2, size=n) * 4 + 1e-9)).astype(np.int64)
    person = np.repeat(np.arange(n), sizes)[:n]
    random.shuffle(person)
    mean = random.standard_normal(_DIM).astype(np.float32)
    mean /= np.linalg.norm(mean)
    centres = mean + random.standard_normal((person.max() + 1, _DIM), np.float32) * np.float32(np.sqrt(_BETWEEN / _DIM))
    vectors = centres[person]
    vectors += random.standard_normal((n, _DIM), np.float32) * np.float32(np.sqrt(_INSIDE / _DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    zeros = np.zeros(n, dtype=np.int64)
    tracks = FaceTracks(
        video_id=tuple(f"{number:016x}" for number in range(n)),
        track_id=zeros,
        first_tick=zeros,
        last_tick=zeros,
        n_descriptors=zeros + 1,
        descriptor=vectors,
        length=1.0,
        at_once=frozenset(),
    )
    return tracks, person


def pair_scores(group: Int64Array, person: Int64Array) -> tuple[float, float]:
    """Return precision and recall over pairs of items, given the (N,) groups found and the true ones."""
    together = _pairs(list(zip(group.tolist(), person.tolist(), strict=True)))
    found, true = _pairs(group.tolist()), _pairs(person.tolist())
    return together / max(1, found), together / max(1, true)


def _pairs(labels: list[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def _made(n: int, threads: int) -> dict[str, float]:
    tracks, person = made_tracks(n)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    persons = persons_of_tracks(tracks, {}, UserLinks(), limits_of("dlib", 1.0), threads=threads)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    precision, recall = pair_scores(persons.group, person)
    return {
        "n": n,
        "people": len(np.unique(person)),
        "groups": len(np.unique(persons.group)),
        "precision": round(precision, 5),
        "recall": round(recall, 5),
        "processor_s": round(cpu_s, 1),
        "wall_s": round(wall_s, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def main() -> None:
    """Print a line of JSON for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("made")
    made.add_argument("n", type=int)
    made.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(_made(arguments.n, arguments.threads)))


if __name__ == "__main__":
    main()
