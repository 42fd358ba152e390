"""Main faces of a curated dataset, where the analysis found them, with the frames that show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.masks.embedded.alignment import align_faces
from curation.perception.masks.embedded.teaching.people import Footage
from curation.perception.masks.embedded.teaching.samples import Sample
from foundation.array_types import Float32Array, RgbImage
from manifests.dataset import Dataset
from manifests.timeline import TICK_RATE_HZ

__all__ = ["FoundFace", "found_faces", "found_samples"]

_EVERY_TICKS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFace:
    """The main face of one tick."""

    tick: int
    frame: RgbImage
    key_points_px: Float32Array
    """(1, 9, 2), source pixels."""
    box_px: Float32Array
    """(1, 4) x0, y0, x1, y1, source pixels."""


def found_faces(dataset: Dataset, video: Path, every_ticks: int = 1) -> Iterator[FoundFace]:
    """Yield the main faces of a video on multiples of `every_ticks`.

    Args:
        dataset: has the face of every tick.
        video: the file, by whose name the dataset knows it.
        every_ticks: 1 yields all.
    """
    rows = dataset.frames(video.name, columns=["tick", "box", "key_points"]).to_pydict()
    places = {
        tick: (points, box)
        for tick, box, points in zip(rows["tick"], rows["box"], rows["key_points"], strict=True)
        if tick % every_ticks == 0 and box is not None and points is not None
    }
    if not places:
        return
    info = probe(video)
    for frame in tick_frames(info, 0, info.n_ticks):
        if frame.tick in places and frame.rgb is not None:
            points, box = (np.array(numbers, np.float32)[None] for numbers in places[frame.tick])
            yield FoundFace(tick=frame.tick, frame=frame.rgb, key_points_px=points, box_px=box)


def found_samples(dataset: Dataset, footage: Sequence[Footage], per_person: int, seed: int) -> list[Sample]:
    """Return samples of real faces as they are, bare or with a worn mask, at most `per_person` of either kind."""
    by_person: dict[tuple[str, bool], list[Sample]] = {}
    for one in footage:
        if one.path is None or one.path.parent.name != "talk":
            continue
        for face in found_faces(dataset, one.path, _EVERY_TICKS):
            worn = one.worn_at(float(face.tick / TICK_RATE_HZ))
            if worn is not None:
                sample = Sample(
                    aligned=align_faces(face.frame, face.key_points_px, face.box_px)[0],
                    kind="worn" if worn else "bare",
                    identity=one.identity,
                    covered=worn,
                    reference=None,
                )
                by_person.setdefault((one.identity, worn), []).append(sample)
    rng = np.random.default_rng(seed)
    chosen: list[Sample] = []
    for group in (by_person[key] for key in sorted(by_person)):
        kept = rng.permutation(len(group))[:per_person] if len(group) > per_person else np.arange(len(group))
        chosen += [group[index] for index in kept]
    return chosen
