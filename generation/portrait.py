"""Read a portrait: find its face and crop it as curation crops the faces of videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.media.pictures import PictureError, read_picture
from curation.perception.protocols import FaceObservation
from curation.rendering.crop import choose_crop
from curation.rendering.picture_area import picture_area
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage
from generation.pose_check import HeadMeter
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box

__all__ = ["Portrait", "read_image", "read_portrait"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Portrait:
    """A face as clips show faces."""

    image: RgbImage
    """(size, size, 3) the crop."""
    landmarks_px: Float32Array
    """(K, 2) pixels of the crop."""
    face_width_px: float
    """Between the landmarks farthest left and right in the file's own image: below the rule `small_face`'s limits the
    video is less sharp than clips are."""
    pose_deg: Float32Array
    """(3,) pitch, yaw, roll."""


def read_portrait(
    path: Path, heads: HeadMeter, settings: CurationSettings, size_px: int, face: int | None = None
) -> Portrait:
    """Return the face of the image at `path`, cropped with the same ratio of face to frame as the clips.

    Args:
        path: an image of any size; one that shows other faces too where `face` says which, or where they are no
            rivals by the rule `several_faces`.
        heads: with the face finder and the head pose that the training data was made with.
        settings: those of the training data.
        size_px: width and height of the crop.
        face: which face, from 1 for the widest on; None: there must be one.

    Raises:
        GenerationError: the file is no image, or shows no face, several, or fewer than `face`.
    """
    image = read_image(path)
    found = heads.finder(image)
    if not found:
        raise GenerationError(
            f"--portrait {path}: no face was found; give a picture of one person who looks towards the camera"
        )
    chosen = _chosen(path, found, settings, face)
    box_px = landmark_box(chosen.landmarks_px)
    crop = choose_crop(box_px[None], settings.crop)
    return Portrait(
        image=crop.image(image, picture_area(image), size_px),
        landmarks_px=crop.points(chosen.landmarks_px, size_px),
        face_width_px=float(box_px[2] - box_px[0]),
        pose_deg=heads.of_face(image, chosen),
    )


def _chosen(
    path: Path, found: Sequence[FaceObservation], settings: CurationSettings, face: int | None
) -> FaceObservation:
    listed = "; ".join(f"{number}: {_described(one)}" for number, one in enumerate(found, start=1))
    if face is not None:
        if not 1 <= face <= len(found):
            raise GenerationError(f"--face is {face}, but --portrait {path} shows {len(found)} faces: {listed}")
        return found[face - 1]
    rule = settings.rules.several_faces
    rivals = [
        one
        for one in found[1:]
        if one.score >= rule.min_score and _width_px(one) >= rule.max_width_ratio * _width_px(found[0])
    ]
    if rivals:
        raise GenerationError(f"--portrait {path}: shows {len(found)} faces; choose one with --face: {listed}")
    return found[0]


def _described(face: FaceObservation) -> str:
    x, y = np.rint((face.box_px[:2] + face.box_px[2:]) / 2).astype(int)
    return f"{_width_px(face):.0f} px wide at ({x}, {y})"


def _width_px(face: FaceObservation) -> float:
    return float(face.box_px[2] - face.box_px[0])


def read_image(path: Path) -> RgbImage:
    """Return the image of `--portrait`, as `curation.media.pictures.read_picture` does.

    Raises:
        GenerationError: there is no such file, it is no image, is cut short, or is too large or too small.
    """
    try:
        return read_picture(path)
    except PictureError as error:
        raise GenerationError(f"--portrait {error.args[0]}") from error
