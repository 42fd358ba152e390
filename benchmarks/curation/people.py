"""How well, and how fast, are faces grouped into persons?

    python -m benchmarks.curation.people talk DATASET MANIFEST
    python -m benchmarks.curation.people made N [--threads 2]

`talk DATASET MANIFEST` compares a dataset of videos with known people, of which a manifest (a table of file, people and
identity, separated by tabs) tells, at several limits; `made N` groups N made descriptors. Each prints one line of JSON.
"""

import argparse
import csv
import json
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.identities.clip_faces import read_clip_faces
from curation.identities.face_limits import limits_of
from curation.identities.face_tracks import FaceTracks, read_face_tracks
from curation.identities.link_file import UserLinks
from curation.identities.persons import persons_of_tracks
from foundation.array_types import Int64Array
from manifests.files.tables import read_table

__all__ = ["made_tracks", "main", "pair_scores"]

_DIM = 128

_BETWEEN = 0.108
"""Variance of people around the mean face, over its squared length: strangers then have cosines about 0.88."""

_INSIDE = 0.028
"""The same of the tracks of a person: their cosines are about 0.975. Both are as on real tracks, with dlib."""


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


def _pairs(labels: Sequence[object]) -> int:
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


def _single_people(manifest: Path) -> dict[str, str]:
    """Return by file the only person that it shows."""
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    names = {row["file"]: row["identity"].partition(" (")[0] for row in rows if row["people"] == "1"}
    return {file: name for file, name in names.items() if name and ", " not in name}


def _talk(dataset: Path, manifest: Path, across: float, within: float) -> dict[str, float | str]:
    """Compare the persons of tracks with clips, at these limits, with the manifest; also by halves of the people."""
    tracks = read_face_tracks(dataset)
    limits = replace(limits_of("dlib", tracks.length), across=across, within=within)
    found = persons_of_tracks(tracks, {}, UserLinks(), limits, threads=1)
    people = _single_people(manifest)
    videos = read_table(dataset, "videos", ["video_id", "path"]).to_pylist()
    names = {row["video_id"]: people.get(Path(row["path"]).name) for row in videos}
    with_clips = sorted(read_clip_faces(dataset, tracks).of_tracks())
    known = np.array([k for k in with_clips if names[tracks.video_id[k]] is not None], dtype=np.int64)
    true = np.array([names[tracks.video_id[k]] for k in known])
    _, person = np.unique(true, return_inverse=True)
    result: dict[str, float | str] = {"across": across, "within": within, "tracks": len(known)}
    half = np.random.default_rng(0).permutation(person.max() + 1) % 2
    parts = {"all": half[person] >= 0, "half_a": half[person] == 0, "half_b": half[person] == 1}
    for name, part in parts.items():
        precision, recall = pair_scores(found.group[known[part]], person[part])
        result |= {f"{name}_precision": round(precision, 3), f"{name}_recall": round(recall, 3)}
    return result


def main() -> None:
    """Print a line of JSON for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("made")
    made.add_argument("n", type=int)
    made.add_argument("--threads", type=int, default=2)
    talk = commands.add_parser("talk")
    talk.add_argument("dataset", type=Path)
    talk.add_argument("manifest", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "made":
        print(json.dumps(_made(arguments.n, arguments.threads)))
        return
    for within in (0.90, 0.91, 0.92):
        for across in (0.94, 0.945, 0.95, 0.955, 0.96, 0.965, 0.97):
            print(json.dumps(_talk(arguments.dataset, arguments.manifest, across, within)))


if __name__ == "__main__":
    main()
