"""What a perception model is: one small Protocol per kind. Another model is one more module that has this shape.

Coordinates are source pixels, x to the right, y down; the centre of the top left pixel is at (0.5, 0.5).
Every model is stateless between calls: the same arguments give the same answer whatever came before, so that windows
of a video can be analysed apart and stitched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, RgbImage

__all__ = [
    "CutScorer",
    "FaceDescriber",
    "FaceFinder",
    "FaceObservation",
    "HeadPose",
    "JitterPoints",
    "MaskClassifier",
    "VoiceDetector",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceObservation:
    """One face in one picture."""

    box_px: Float32Array
    """(4,) x0, y0, x1, y1: the detector's rectangle, or the smallest upright one around all landmarks; which of the two
    is the finder's choice. Either is about as wide as the face between the ears."""
    score: float
    """The detector's confidence, 0 to 1; a face that was followed keeps the one it was found with."""
    landmarks_px: Float32Array
    """(K, 2) in the numbering of the finder's `scheme`."""
    pose_deg: Float32Array
    """(3,) pitch, yaw, roll. Signs: pitch > 0 looks up, yaw > 0 turns to the person's left (nose towards the right
    border of an unmirrored picture), roll > 0 tilts clockwise as the viewer sees it."""
    blendshapes: Float32Array | None
    """(52,) ARKit-like coefficients 0 to 1, or None where the model has none."""
    jitter_box_px: Float32Array | None = None
    """(4,) rectangle in which `JitterPoints` are sought; None where the finder tells none."""


class FaceFinder(Protocol):
    """Finds all faces of a picture, with landmarks."""

    scheme: str
    """Landmark scheme of the answers, a name in `manifests.landmarks`."""
    pose_method: str
    """How `pose_deg` is computed; stands in the manifest."""

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        """Return the faces in `frame`, the widest box first; an empty list where there is none.

        Args:
            frame: (H, W, 3).
            near: the faces of the picture shortly before; None where they are not known. Where there are any, only
                their surroundings are looked at, as long as each of them is found again; else all of the picture.
        """
        ...


class FaceDescriber(Protocol):
    """Turns a face into a vector that is near for the same person and far for another."""

    name: str
    dim: int

    def __call__(self, frame: RgbImage, key_points_px: Float32Array) -> Float32Array:
        """Return the (dim,) descriptor of the face with these (9, 2) key points."""
        ...


class MaskClassifier(Protocol):
    """Says whether something worn covers mouth and nose."""

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
        """Return the (F,) probability of a mask for F faces, given (F, 9, 2) key points and (F, 4) boxes."""
        ...


class HeadPose(Protocol):
    """Tells where a head is turned, in two steps, so that frames need not be kept until a batch is full."""

    method: str
    """How the pose is computed; stands in the manifest."""

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> npt.NDArray[np.uint8]:
        """Return what the network reads of F faces, (F, S, S, 3) RGB, given their (F, 4) boxes."""
        ...

    def __call__(self, crops: npt.NDArray[np.uint8]) -> Float32Array:
        """Return (F, 3) pitch, yaw and roll of F crops, with the signs of `FaceObservation.pose_deg`."""
        ...


class JitterPoints(Protocol):
    """Finds the points by which the rule `jitter` judges, where it does not take landmarks and box."""

    def __call__(self, frame: RgbImage, box_px: Float32Array) -> Float32Array:
        """Return the (3, 2) nose tip, top left and bottom right corner of the face in a `jitter_box_px`, (4,)."""
        ...


class CutScorer(Protocol):
    """Scores how likely a shot boundary lies between one tick and the next."""

    thumb_height_px: int
    thumb_width_px: int
    halo_ticks: int
    """How many ticks on either side an answer depends on."""

    def __call__(self, thumbs: npt.NDArray[np.uint8]) -> Float32Array:
        """Return (T,) scores for (T, h, w, 3) RGB thumbnails: entry k is about the boundary between k - 1 and k.

        Entry 0 is 0, for nothing lies before it.
        """
        ...


class VoiceDetector(Protocol):
    """Says when somebody speaks."""

    def __call__(self, pieces: Iterable[Float32Array], n_ticks: int) -> Float32Array:
        """Return the (n_ticks,) probability of speech.

        Args:
            pieces: adjacent pieces of one sound, (S,) samples of 16 kHz mono in -1 to 1, tick 0 at the first sample.
                Where they end is not to show in the answer.
            n_ticks: number of ticks.
        """
        ...
