"""Measure the mask network on people who are not in its training data.

`python -m curation.perception.masks.embedded.teaching.evaluate`

Needs what `train` needs, torch apart. Prints the tables of `benchmarks/results/2026-11-mask-network.md`.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.masks.embedded.classifier import EmbeddedMask
from curation.perception.masks.embedded.teaching.faces import FaceImage, collect_faces
from curation.perception.masks.embedded.teaching.hard_negatives import HARD_NEGATIVES
from curation.perception.masks.embedded.teaching.samples import HELD_OUT, Conditions, Sample, SampleMaker

__all__ = ["Row", "held_out_faces", "held_out_rows", "held_out_samples", "main"]

SEED = 7
"""Differs from the seed of training, so that no drawing is the same."""

_FACES_PER_CLIP = 60

_COUNTS = {"mask": 250, "mask_below_nose": 40, "bare": 250} | dict.fromkeys(HARD_NEGATIVES, 30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    kind: str
    distorted: bool
    n: int
    called_masked: int
    """By the network, at a probability of 0.5 and above."""
    teacher_called_masked: int
    both_called_masked: int


def held_out_faces(shared: Path) -> list[FaceImage]:
    """Return the faces of the people who are held out of the training."""
    return collect_faces(shared, HELD_OUT, per_clip=_FACES_PER_CLIP)


def held_out_samples(shared: Path, faces: list[FaceImage], *, distorted: bool) -> list[Sample]:
    """Return samples of the held-out people, landmarks measured on the finished images.

    Args:
        shared: folder with `models`.
        faces: from `held_out_faces`.
        distorted: on top of the drawing, head turns and camera faults (dark, blurred, small, noisy).
    """
    kinds = [kind for kind, count in _COUNTS.items() for _ in range(count)]
    conditions = Conditions(distorted=distorted, measured=1.0, jitter=0.0, teacher_share=1.0)
    return SampleMaker(shared, SEED + distorted)(faces, kinds, conditions)


def held_out_rows(samples: list[Sample], classifier: EmbeddedMask, *, distorted: bool) -> list[Row]:
    """Return one row for each kind of sample."""
    rows = []
    called = classifier.score_aligned(np.stack([s.aligned for s in samples])) >= 0.5
    teacher = np.array([s.teacher for s in samples], np.float32) >= 0.5
    for kind in _COUNTS:
        of_kind = np.array([s.kind == kind for s in samples])
        rows.append(
            Row(
                kind=kind,
                distorted=distorted,
                n=int(of_kind.sum()),
                called_masked=int(called[of_kind].sum()),
                teacher_called_masked=int(teacher[of_kind].sum()),
                both_called_masked=int((called & teacher)[of_kind].sum()),
            )
        )
    return rows


def main() -> int:
    """Print the table in Markdown; return the exit code."""
    shared = Path(os.environ.get("GAIA_SHARED", Path(__file__).parents[4] / "shared"))
    classifier = EmbeddedMask()
    faces = held_out_faces(shared)
    lines = [
        "| drawn | camera faults | images | called masked | by the teacher | by both |",
        "|---|---|---|---|---|---|",
    ]
    for distorted in (False, True):
        for row in held_out_rows(held_out_samples(shared, faces, distorted=distorted), classifier, distorted=distorted):
            share = f"{row.called_masked} ({row.called_masked / row.n:.1%})"
            lines += [
                (
                    f"| {row.kind} | {'yes' if distorted else 'no'} | {row.n} | {share} "
                    f"| {row.teacher_called_masked} | {row.both_called_masked} |"
                )
            ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
