"""Labelled images for the mask network: bare faces, worn and drawn masks, objects; aligned as at inference.

The label is 1 where the lips are not seen, whatever covers them, and 0 where they are. What is drawn is measured: an
object that leaves a part of the lips is drawn again, as people disagree about it.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.masks.embedded.alignment import align_faces
from curation.perception.masks.embedded.teaching.distortions import photograph, turn_head
from curation.perception.masks.embedded.teaching.drawing import draw_mask
from curation.perception.masks.embedded.teaching.faces import FaceImage, FaceLandmarks
from curation.perception.masks.embedded.teaching.objects import OBJECTS
from curation.perception.masks.embedded.teaching.paint import fill
from curation.perception.masks.embedded.teaching.reference import ReferenceDetector
from foundation.array_types import BoolArray, Float32Array, RgbImage
from manifests.landmarks import landmark_scheme

__all__ = ["KINDS", "MASK_KINDS", "Conditions", "Sample", "SampleMaker"]

MASK_KINDS = ("mask", "mask_below_nose")

KINDS = ("bare", "worn", *MASK_KINDS, *OBJECTS)
"""`worn` is a real mask; on the others nothing, a mask or an object is drawn."""

_LIPS = list(landmark_scheme("mediapipe478").outer_lips)

_HIDDEN, _SEEN = 0.5, 0.8
"""Share of the lips that still shows: up to the first they count as covered, from the second on as bare."""

_PROBE = 0.4
"""Change of the lips' colour by which their visibility is measured."""

_DRAWINGS = 8
"""Attempts to draw an object as wanted, over the lips or beside them; in the second half of them either will do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One image with its label."""

    aligned: RgbImage
    """(S, S, 3) face as the network reads it."""
    kind: str
    """One of `KINDS`."""
    identity: str
    covered: bool
    """The label: the lips are not seen."""
    reference: float | None
    """The reference detector's probability of a mask; None for samples that it did not score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Conditions under which samples are made."""

    distorted: float
    """Share of samples with head turns and camera faults on top."""
    measured: float
    """Share of samples whose landmarks are measured again on the finished image, as at inference; the others use
    those from before the drawing."""
    jitter: float
    """Standard deviation of noise added to key points and box, in units of the box's longer side."""
    referenced: bool
    """Whether the reference detector scores the samples, the slowest step."""


class SampleMaker:
    """Maker of samples; the same seed gives the same samples."""

    def __init__(self, shared: Path, seed: int) -> None:
        """Load the reference detector from `shared`/models, where the landmark model must be too."""
        self._landmark_model = shared / "models" / "face_landmarker.task"
        self._reference = ReferenceDetector(shared / "models" / "face_mask_detection.onnx")
        self._rng = np.random.default_rng(seed)

    def __call__(self, faces: Sequence[FaceImage], kinds: Iterable[str], conditions: Conditions) -> list[Sample]:
        """Return one sample per kind (entries of `KINDS`), each on a face chosen at random, people equally often.

        A kind for which there is no face (`worn` where nobody wears a mask) is left out.
        """
        people = {worn: _by_identity([face for face in faces if face.worn == worn]) for worn in (False, True)}
        samples = []
        with FaceLandmarks(self._landmark_model) as landmarks:
            for kind in kinds:
                groups = people[kind == "worn"]
                if groups:
                    group = groups[self._rng.integers(len(groups))]
                    face = group[self._rng.integers(len(group))]
                    samples.append(self._sample(face, kind, conditions, landmarks))
        return samples

    def _sample(self, face: FaceImage, kind: str, conditions: Conditions, landmarks: FaceLandmarks) -> Sample:
        """Return a sample of this kind on this face."""
        rng = self._rng
        distorted = rng.random() < conditions.distorted
        if distorted:
            face = turn_head(face, rng)
        drawn, covered = _drawn(face, kind, rng)
        image = photograph(drawn, rng) if distorted else np.round(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
        measured_face = face
        if rng.random() < conditions.measured:
            measured_face = dataclasses.replace(face, landmarks_px=landmarks.in_middle(image, face.landmarks_px))
        size = float(max(measured_face.box_px[2:] - measured_face.box_px[:2]))
        key_points = (
            measured_face.key_points_px
            + rng.normal(0, conditions.jitter * size, (9, 2))
            + rng.normal(0, conditions.jitter * size, 2)
        )
        box = measured_face.box_px + rng.normal(0, conditions.jitter * size, 4)
        aligned = align_faces(image, key_points[None].astype(np.float32), box[None].astype(np.float32))[0]
        return Sample(
            aligned=aligned,
            kind=kind,
            identity=face.identity,
            covered=covered,
            reference=self._reference(image, face.box_px) if conditions.referenced else None,
        )


def _by_identity(faces: Sequence[FaceImage]) -> list[list[FaceImage]]:
    """Return the faces of each identity."""
    groups: dict[str, list[FaceImage]] = {}
    for face in faces:
        groups.setdefault(face.identity, []).append(face)
    return [groups[name] for name in sorted(groups)]


def _drawn(face: FaceImage, kind: str, rng: np.random.Generator) -> tuple[Float32Array, bool]:
    """Return the image with an object of this kind on it, and whether it covers the lips."""
    image = (face.image / 255).astype(np.float32)
    if kind in {"bare", "worn"}:
        return image, face.worn
    if kind in MASK_KINDS:
        return _draw(face, image, kind, rng), True
    lips = fill(face.landmarks_px[_LIPS], image.shape[0], 0.0) > 0.5
    # Half of the objects hide the lips, where their kind can.
    wanted = rng.random() < 0.5
    for attempt in range(_DRAWINGS):
        drawn, seen = _draw_and_measure(face, image, lips, kind, rng)
        covered = seen <= _HIDDEN
        if (covered or seen >= _SEEN) and (covered == wanted or attempt >= _DRAWINGS // 2):
            return drawn, covered
    return image, False


def _draw_and_measure(
    face: FaceImage, image: Float32Array, lips: BoolArray, kind: str, rng: np.random.Generator
) -> tuple[Float32Array, float]:
    """Return the drawing, and the share of the lips that shows: how much of a change of their colour comes through.

    Args:
        face: where to draw.
        image: (S, S, 3) the face.
        lips: (S, S) where its lips are.
        kind: what to draw.
        rng: the same state draws the same on both images.
    """
    changed = image.copy()
    changed[lips] += np.where(image[lips] > 0.5, -_PROBE, _PROBE).astype(np.float32)
    state = rng.bit_generator.state
    other = _draw(face, changed, kind, rng)
    rng.bit_generator.state = state
    drawn = _draw(face, image, kind, rng)
    seen = float(np.abs(other - drawn)[lips].mean()) / _PROBE if lips.any() else 1.0
    return drawn, seen


def _draw(face: FaceImage, image: Float32Array, kind: str, rng: np.random.Generator) -> Float32Array:
    """Return the image with an object of this kind drawn on it."""
    if kind == "mask":
        return draw_mask(face, image, rng, "nose")
    if kind == "mask_below_nose":
        return draw_mask(face, image, rng, "below_nose")
    return OBJECTS[kind](face, image, rng)
