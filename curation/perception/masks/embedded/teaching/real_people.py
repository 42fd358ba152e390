"""Measure the mask network on all real people, each by a network that was not taught with them.

`python -m curation.perception.masks.embedded.teaching.real_people DATASET --folds fold0.onnx fold1.onnx fold2.onnx`

DATASET is what `gaia-curate run --preset embedded` makes of the folder `talk` of the real videos: faces lie where the
analysis found them. The networks are those of `train --fold 0`, 1 and 2; without `--folds` the network of the package
is measured, which was taught with most of these people.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.masks.embedded.classifier import EmbeddedMask
from curation.perception.masks.embedded.teaching.found_faces import found_faces
from curation.perception.masks.embedded.teaching.people import FOLDS, Footage, folds, talk_footage
from curation.perception.protocols import MaskClassifier
from curation.rules.mask import MaskSettings, mask
from foundation.array_types import Float32Array
from manifests.dataset import Dataset
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Outcome", "main", "mask_prob", "measure"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the rule `mask` makes of one video."""

    footage: Footage
    bare_ticks: int
    """With a face whose mouth nothing worn covers."""
    bare_dropped: int
    worn_ticks: int
    worn_dropped: int
    highest: float
    """Largest smoothed probability on bare ticks; NaN where there is none."""


def mask_prob(dataset: Dataset, video: Path, classify: MaskClassifier) -> Float32Array:
    """Return the (T,) probability of a mask on the main face, measured anew on every tick; NaN without a face.

    Args:
        dataset: has the face of every tick.
        video: the file, by whose name the dataset knows it.
        classify: the classifier.
    """
    prob = np.full(dataset.frames(video.name, columns=["tick"]).num_rows, np.nan, np.float32)
    for face in found_faces(dataset, video):
        prob[face.tick] = classify(face.frame, face.key_points_px, face.box_px)[0]
    return prob


def measure(footage: Footage, prob: Float32Array) -> Outcome:
    """Return what the rule `mask`, with its defaults, makes of (T,) probabilities; unclear moments do not count."""
    verdict = mask(prob, MaskSettings())
    worn = [footage.worn_at(float(tick / TICK_RATE_HZ)) for tick in range(len(prob))]
    bare_ticks, worn_ticks = (
        np.array([state is wanted for state in worn], np.bool_) & ~np.isnan(prob) for wanted in (False, True)
    )
    return Outcome(
        footage=footage,
        bare_ticks=int(bare_ticks.sum()),
        bare_dropped=int((verdict.failed & bare_ticks).sum()),
        worn_ticks=int(worn_ticks.sum()),
        worn_dropped=int((verdict.failed & worn_ticks).sum()),
        highest=float(verdict.value[bare_ticks].max()) if bare_ticks.any() else float("nan"),
    )


def _line(outcome: Outcome) -> str:
    name = "" if outcome.footage.path is None else outcome.footage.path.name
    return (
        f"| {name} | {outcome.bare_dropped} of {outcome.bare_ticks} | {outcome.worn_dropped} of {outcome.worn_ticks} "
        f"| {outcome.highest:.2f} |"
    )


def _table(outcomes: Sequence[Outcome]) -> str:
    """Return the videos in which the rule drops something or a mask is worn, and the totals, as Markdown."""
    told = [one for one in outcomes if one.bare_dropped or one.worn_ticks]
    bare = {one.footage.identity for one in outcomes if one.bare_ticks}
    dropped = {one.footage.identity for one in outcomes if one.bare_dropped}
    head = [
        "| video | bare ticks dropped | ticks with a worn mask dropped | highest on bare ticks |",
        "|---|---|---|---|",
    ]
    return "\n".join(
        [
            *head,
            *(_line(one) for one in told),
            "",
            f"Wrongly dropped somewhere: {len(dropped)} of {len(bare)} people or groups seen bare.",
        ]
    )


def main() -> int:
    """Print a table in Markdown; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--folds", type=Path, nargs=FOLDS, help="networks of `train --fold`, in their order")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("GAIA_SHARED", Path(__file__).parents[4] / "shared"))
    fold = folds(shared)
    networks = [EmbeddedMask(file) for file in arguments.folds] if arguments.folds else [EmbeddedMask()] * FOLDS
    dataset, outcomes = Dataset(arguments.dataset), []
    for one in talk_footage(shared):
        if one.path is not None:
            prob = mask_prob(dataset, one.path, networks[fold[one.identity]])
            outcomes.append(measure(one, prob))
            sys.stderr.write(f"{_line(outcomes[-1])}\n")
    sys.stdout.write(f"{_table(outcomes)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
