"""Measure the mask network on drawings over people who are not in its training data.

`python -m curation.perception.masks.embedded.teaching.evaluate`

Needs what `train` needs, torch apart. Prints a table in Markdown.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.masks.embedded.classifier import EmbeddedMask
from curation.perception.masks.embedded.teaching.faces import FaceImage, collect_faces
from curation.perception.masks.embedded.teaching.objects import OBJECTS
from curation.perception.masks.embedded.teaching.people import held_out_footage
from curation.perception.masks.embedded.teaching.samples import Conditions, Sample, SampleMaker

__all__ = ["Row", "held_out_faces", "held_out_rows", "held_out_samples", "main"]

SEED = 7
"""Differs from the seed of training, so that no drawing is the same."""

_FACES_PER_CLIP = 60

_COUNTS = {"mask": 250, "mask_below_nose": 40, "bare": 250} | dict.fromkeys(OBJECTS, 40)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    kind: str
    covered: bool
    """Whether the drawing hides the lips: an object of one kind now does, now does not."""
    distorted: bool
    n: int
    called_covered: int
    """By the network, at a probability of 0.5 and above."""
    reference_called_masked: int
    both_called: int


def held_out_faces(shared: Path) -> list[FaceImage]:
    """Return the faces of the people who are held out of the training."""
    return collect_faces(shared, held_out_footage(shared), per_file=_FACES_PER_CLIP)


def held_out_samples(shared: Path, faces: list[FaceImage], *, distorted: bool) -> list[Sample]:
    """Return samples of the held-out people, landmarks measured on the finished images.

    Args:
        shared: folder with `models`.
        faces: from `held_out_faces`.
        distorted: on top of the drawing, head turns and camera faults (dark, blurred, small, noisy).
    """
    kinds = [kind for kind, count in _COUNTS.items() for _ in range(count)]
    conditions = Conditions(distorted=float(distorted), measured=1.0, jitter=0.0, referenced=True)
    return SampleMaker(shared, SEED + distorted)(faces, kinds, conditions)


def held_out_rows(samples: list[Sample], classifier: EmbeddedMask, *, distorted: bool) -> list[Row]:
    """Return one row for each kind of sample, objects over the lips and beside them apart."""
    rows = []
    called = classifier.score_aligned(np.stack([s.aligned for s in samples])) >= 0.5
    reference = np.array([s.reference for s in samples], np.float32) >= 0.5
    for kind in _COUNTS:
        for covered in (True, False):
            chosen = np.array([s.kind == kind and s.covered == covered for s in samples])
            if chosen.any():
                rows.append(
                    Row(
                        kind=kind,
                        covered=covered,
                        distorted=distorted,
                        n=int(chosen.sum()),
                        called_covered=int(called[chosen].sum()),
                        reference_called_masked=int(reference[chosen].sum()),
                        both_called=int((called & reference)[chosen].sum()),
                    )
                )
    return rows


def main() -> int:
    """Print the table in Markdown; return the exit code."""
    shared = Path(os.environ.get("GAIA_SHARED", Path(__file__).parents[4] / "shared"))
    classifier = EmbeddedMask()
    faces = held_out_faces(shared)
    lines = [
        "| drawn | lips hidden | camera faults | images | called covered | called masked by the reference | by both |",
        "|---|---|---|---|---|---|---|",
    ]
    for distorted in (False, True):
        for row in held_out_rows(held_out_samples(shared, faces, distorted=distorted), classifier, distorted=distorted):
            share = f"{row.called_covered} ({row.called_covered / row.n:.1%})"
            yes = {True: "yes", False: "no"}
            lines += [
                (
                    f"| {row.kind} | {yes[row.covered]} | {yes[row.distorted]} | {row.n} | {share} "
                    f"| {row.reference_called_masked} | {row.both_called} |"
                )
            ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
