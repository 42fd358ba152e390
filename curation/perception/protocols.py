"""Interfaces of perception models, one small Protocol per kind.

Coordinates are source pixels, x to the right, y down; the centre of the top left pixel is at (0.5, 0.5).
Every model is stateless between calls: the same arguments give the same result, whatever came before, so that windows
of a video can be analysed separately and stitched. A finder that follows faces from frame to frame is no exception: it
gets the faces of the previous frame as an argument, and `FaceObservation` holds all that it needs of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, Float64Array, RgbImage

__all__ = [
    "ActiveSpeaker",
    "FaceDescriber",
    "FaceFinder",
    "FaceObservation",
    "HeadPose",
    "JitterPoints",
    "LipSync",
    "MaskClassifier",
    "Sighting",
    "Square",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Square:
    """A square region of an image, pixels; may reach beyond the image."""

    x0: float
    y0: float
    side: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """Position of a detection relative to the landmarks that were then found; with it the face can be followed."""

    detector_box: tuple[float, float, float]
    """From the centre of the rectangle around the landmarks, along the eyes and down the face, to the centre of the
    detector's box, and the side of that box; all over the longer side of the rectangle."""
    look: Square | None
    """Region of the image that the detector was run on; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceObservation:
    """One face in one frame."""

    box_px: Float32Array
    """(4,) x0, y0, x1, y1: the detector's rectangle, or the smallest upright one around all landmarks; which of the two
    is the finder's choice. Either is about as wide as the face between the ears."""
    score: float
    """The detector's confidence, 0 to 1; a face that was followed keeps the one it was found with."""
    landmarks_px: Float32Array
    """(K, 2) in the scheme that the finder's card names."""
    pose_deg: Float32Array
    """(3,) pitch, yaw, roll. Signs: pitch > 0 looks up, yaw > 0 turns to the person's left (nose towards the right
    border of an unmirrored frame), roll > 0 tilts clockwise as the viewer sees it."""
    blendshapes: Float32Array | None
    """(52,) ARKit-like coefficients 0 to 1, or None where the model has none."""
    jitter_box_px: Float32Array | None = None
    """(4,) rectangle in which `JitterPoints` are sought; None where the finder gives none."""
    sighting: Sighting | None = None
    """For finders that follow faces into the next frame; None where the finder searches every frame."""


class FaceFinder(Protocol):
    """Finds all faces of a frame, with landmarks in the scheme that its card names."""

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        """Return the faces in `frame`, the widest box first; an empty list where there is none.

        Args:
            frame: (H, W, 3).
            near: this finder's faces in the previous frame; None where they are not known. A finder may look at their
                surroundings alone, as long as it finds each of them again, or ignore them.
        """
        ...


class FaceDescriber(Protocol):
    """Turns a face into a vector that is near for the same person and far for another."""

    def __call__(self, frame: RgbImage, key_points_px: Float32Array) -> Float32Array:
        """Return the descriptor of the face with these (9, 2) key points, as long as the card's `dim` says."""
        ...


class MaskClassifier(Protocol):
    """Estimates whether a mask covers the mouth; some models know other covers, too."""

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
        """Return the (F,) probability of a cover for F faces, given (F, 9, 2) key points and (F, 4) boxes."""
        ...


class HeadPose(Protocol):
    """Estimates how a head is turned, in two steps, so that frames need not be kept until a batch is full."""

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> npt.NDArray[np.uint8]:
        """Return what the network reads of F faces, (F, S, S, 3) RGB, given their (F, 4) boxes."""
        ...

    def __call__(self, crops: npt.NDArray[np.uint8]) -> Float32Array:
        """Return (F, 3) pitch, yaw and roll of F crops, with the signs of `FaceObservation.pose_deg`."""
        ...


class ActiveSpeaker(Protocol):
    """Estimates whether the person whose face is seen is the one who is heard, in three steps.

    So frames need not be kept until all of a stretch are read.
    """

    def squares(self, boxes_px: Float32Array) -> Float64Array:
        """Return (T, 3) where to cut a face on T adjacent ticks: centre x, centre y and side.

        Args:
            boxes_px: (T, 4) of one face, as its finder gives them; NaN on ticks on which it was not found.
        """
        ...

    def crop(self, frame: RgbImage, square: Float64Array) -> npt.NDArray[np.uint8]:
        """Return what the network reads of a face, (S, S) grey, given its row of `squares`."""
        ...

    def __call__(self, crops: npt.NDArray[np.uint8], audio_16k: Float32Array) -> Float32Array:
        """Return the (T,) probability that a face speaks, for T adjacent ticks.

        Args:
            crops: (T, S, S) of one face.
            audio_16k: (S,) the sound of these ticks, 16 kHz, mono, -1 to 1, the first sample at the first tick.
        """
        ...


class LipSync(Protocol):
    """Compares lips with the sound."""

    name: str
    """Value of the setting that chooses it."""
    digest: str
    """sha256 of its weights."""

    def sound_rows(self, audio_16k: Float32Array, n_ticks: int) -> Float32Array:
        """Return (n_ticks, D) numbers about the sound of each tick.

        Args:
            audio_16k: (S,) the sound of these ticks as it is in the file, 16 kHz, mono, -1 to 1.
            n_ticks: number of ticks.
        """
        ...

    def scores(self, landmarks_px: Float32Array, blendshapes: Float32Array, speech: Float32Array) -> Float32Array:
        """Return (T, 31) cosines between the lips on each tick and the sound -15 to 15 ticks later.

        Those that cannot be known are NaN: near the ends of the stretch, and at lags that lead out of it.

        Args:
            landmarks_px: (T, K, 2) of one face on ticks that follow one another, pixels.
            blendshapes: (T, 52) likewise.
            speech: (T, D) rows of `sound_rows` of the same ticks.
        """
        ...


class JitterPoints(Protocol):
    """Finds the points by which the rule `jitter` judges the faces of a finder whose card has `load_jitter`."""

    def __call__(self, frame: RgbImage, box_px: Float32Array) -> Float32Array:
        """Return the (3, 2) nose tip, top left and bottom right corner of the face in a `jitter_box_px`, (4,)."""
        ...
