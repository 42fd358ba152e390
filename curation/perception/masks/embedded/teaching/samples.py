"""Labelled images for the mask network: bare faces, drawn masks, hard negatives; aligned as at inference."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.masks.embedded.alignment import align_faces
from curation.perception.masks.embedded.teaching.distortions import photograph, turn_head
from curation.perception.masks.embedded.teaching.drawing import draw_mask
from curation.perception.masks.embedded.teaching.faces import FaceImage, FaceLandmarks
from curation.perception.masks.embedded.teaching.hard_negatives import HARD_NEGATIVES
from curation.perception.masks.embedded.teaching.teacher import MaskTeacher
from foundation.array_types import Float32Array, RgbImage

__all__ = ["HELD_OUT", "KINDS", "MASKED_KINDS", "TRAIN_IDENTITIES", "Conditions", "Sample", "SampleMaker"]

HELD_OUT = ("WDA_AlexandriaOcasioCortez_000", "latentsync_demo1", "lp_d12", "lp_d13")
"""Clips of people who are not in the training data."""

TRAIN_IDENTITIES = (
    "3ddfa_obama",
    "WDA_KatieHill_000",
    "astronaut",
    "dj_video4",
    "dj_video5",
    "fr_hamilton",
    "lp_d14",
    "lp_d20",
    "lp_d6",
    "lp_s18",
    "talkvid_10",
)
"""Clips of people in the training data. `dj_video1` is a cartoon: it has no face."""

MASKED_KINDS = ("mask", "mask_below_nose")

KINDS = ("bare", *MASKED_KINDS, *HARD_NEGATIVES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One image with its label."""

    aligned: RgbImage
    """(S, S, 3) face as the network reads it."""
    kind: str
    """One of `KINDS`."""
    identity: str
    masked: bool
    """The label as drawn."""
    teacher: float | None
    """The teacher's probability of a mask; None for samples that it did not score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Conditions under which samples are made."""

    distorted: bool
    """Head turns and camera faults on top."""
    measured: float
    """Share of samples whose landmarks are measured again on the finished image, as at inference; the others use
    those from before the drawing."""
    jitter: float
    """Standard deviation of noise added to key points and box, in units of the box's longer side."""
    teacher_share: float
    """Share of samples with a score of the teacher, the slowest step."""


class SampleMaker:
    """Maker of samples; the same seed gives the same samples."""

    def __init__(self, shared: Path, seed: int) -> None:
        """Load the teacher from `shared`/models, where the landmark model must be too."""
        self._landmark_model = shared / "models" / "face_landmarker.task"
        self._teacher = MaskTeacher(shared / "models" / "face_mask_detection.onnx")
        self._rng = np.random.default_rng(seed)

    def __call__(self, faces: Sequence[FaceImage], kinds: Iterable[str], conditions: Conditions) -> list[Sample]:
        """Return one sample per kind (entries of `KINDS`), each on a face chosen at random, people equally often."""
        by_identity: dict[str, list[FaceImage]] = {}
        for face in faces:
            by_identity.setdefault(face.identity, []).append(face)
        identities = sorted(by_identity)
        samples = []
        with FaceLandmarks(self._landmark_model) as landmarks:
            for kind in kinds:
                group = by_identity[identities[self._rng.integers(len(identities))]]
                face = group[self._rng.integers(len(group))]
                samples.append(self._sample(face, kind, conditions, landmarks))
        return samples

    def _sample(self, face: FaceImage, kind: str, conditions: Conditions, landmarks: FaceLandmarks) -> Sample:
        """Return a sample of this kind on this face."""
        rng = self._rng
        if conditions.distorted:
            face = turn_head(face, rng)
        drawn = _draw(face, (face.image / 255).astype(np.float32), kind, rng)
        image = (
            photograph(drawn, rng) if conditions.distorted else np.round(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
        )
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
            masked=kind in MASKED_KINDS,
            teacher=self._teacher(image, face.box_px) if rng.random() < conditions.teacher_share else None,
        )


def _draw(face: FaceImage, image: Float32Array, kind: str, rng: np.random.Generator) -> Float32Array:
    """Return the image with an object of this kind drawn on it."""
    if kind == "bare":
        return image
    if kind == "mask":
        return draw_mask(face, image, rng, "nose")
    if kind == "mask_below_nose":
        return draw_mask(face, image, rng, "below_nose")
    return HARD_NEGATIVES[kind](face, image, rng)
