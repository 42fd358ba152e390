"""Read a portrait: find its face and crop it as curation crops the faces of videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.media.pictures import PictureError, read_picture
from curation.perception.protocols import FaceFinder, FaceObservation
from curation.rendering.crop import Crop, choose_crop
from curation.rendering.picture_area import picture_area
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.text import count_text
from generation.pose_check import HeadMeter
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box

__all__ = ["Portrait", "read_image", "read_portrait"]


_NOTED_ENLARGEMENT, _MOST_ENLARGEMENT = 1.7, 4.0
"""Times that a face is enlarged: above the first the video is less sharp than any clip of the default limits, above the
second nothing of lips and eyes is left to see."""

_NOTED_YAW_DEG, _MOST_YAW_DEG = 35.0, 60.0
"""Turn to the side: few training clips of the default limits have more than the first; beyond the second one eye and
half of the mouth are hidden."""

_FULL_SEARCH, _MOST_FACES = 4, 40
"""Faces of a search that may have stopped at them, and those after which no search follows."""

_HIDDEN = 1.15
"""Side of the square, over that of a face, that is hidden while further faces are sought."""


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
    picture: RgbImage
    """(H, W, 3) the whole image."""
    crop: Crop
    """Square of `picture` that `image` shows."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what makes the video worse than with other portraits."""
        shown_px = float(np.ptp(self.landmarks_px[:, 0]))
        small = (
            f"the face of the portrait is {self.face_width_px:.0f} px wide and is enlarged "
            f"{shown_px / self.face_width_px:.1f} times; a larger one gives a sharper video"
        )
        aside = (
            f"the face of the portrait is turned {abs(self.pose_deg[1]):.0f} degrees to the side; one that looks into "
            "the camera shows more of what the video needs"
        )
        notes = [small] if shown_px > _NOTED_ENLARGEMENT * self.face_width_px else []
        return (*notes, aside) if abs(self.pose_deg[1]) > _NOTED_YAW_DEG else tuple(notes)


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
        GenerationError: the file is no image, or shows no face, several, or fewer than `face`; or the face is too
            small, or turned away.
    """
    image = read_image(path)
    found = _faces(image, heads.finder)
    if not found:
        raise GenerationError(
            f"--portrait {path}: no face was found; give a picture of one person who looks towards the camera"
        )
    chosen = _chosen(path, found, settings, face)
    box_px = landmark_box(chosen.landmarks_px)
    crop = choose_crop(box_px[None], settings.crop)
    portrait = Portrait(
        image=crop.image(image, picture_area(image), size_px),
        landmarks_px=crop.points(chosen.landmarks_px, size_px),
        face_width_px=float(box_px[2] - box_px[0]),
        pose_deg=heads.of_face(image, chosen),
        picture=image,
        crop=crop,
    )
    _require_usable(path, portrait)
    return portrait


def _require_usable(path: Path, portrait: Portrait) -> None:
    """Refuse a face of which too little can be seen."""
    shown_px = float(np.ptp(portrait.landmarks_px[:, 0]))
    if shown_px > _MOST_ENLARGEMENT * portrait.face_width_px:
        raise GenerationError(
            f"--portrait {path}: the face is {portrait.face_width_px:.0f} px wide, and the networks of this run take "
            f"{shown_px:.0f} px; give a picture in which it has at least {shown_px / _MOST_ENLARGEMENT:.0f} px"
        )
    yaw_deg = float(portrait.pose_deg[1])
    if abs(yaw_deg) > _MOST_YAW_DEG:
        raise GenerationError(
            f"--portrait {path}: the face is turned {abs(yaw_deg):.0f} degrees to the side, so that half of it is "
            "hidden; give a picture of somebody who looks towards the camera"
        )


def _faces(image: RgbImage, finder: FaceFinder) -> list[FaceObservation]:
    """Return all faces of an image, the widest first.

    A finder may stop at four; then these are hidden and the rest of the image is searched again.
    """
    found = list(finder(image))
    if len(found) < _FULL_SEARCH:
        return found
    more, hidden = found, image.copy()
    while more and len(found) < _MOST_FACES:
        for one in more:
            x0, y0, x1, y1 = _grown(one.box_px, image.shape[:2])
            hidden[y0:y1, x0:x1] = 128
        more = finder(hidden)
        found += more
    return sorted(found, key=_width_px, reverse=True)


def _grown(box_px: Float32Array, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1 and y1 of a box that is a little larger, within an image."""
    centre, half = (box_px[:2] + box_px[2:]) / 2, (box_px[2:] - box_px[:2]) * (_HIDDEN / 2)
    (x0, y0), (x1, y1) = np.rint(centre - half).astype(int), np.rint(centre + half).astype(int)
    return max(0, int(x0)), max(0, int(y0)), min(shape[1], int(x1)), min(shape[0], int(y1))


def _chosen(
    path: Path, found: Sequence[FaceObservation], settings: CurationSettings, face: int | None
) -> FaceObservation:
    listed = "; ".join(f"{number}: {_described(one)}" for number, one in enumerate(found, start=1))
    if face is not None:
        if not 1 <= face <= len(found):
            raise GenerationError(
                f"--face is {face}, but --portrait {path} shows {count_text(len(found), 'face')}: {listed}"
            )
        return found[face - 1]
    rule = settings.rules.several_faces
    rivals = [
        one
        for one in found[1:]
        if one.score >= rule.min_score and _width_px(one) >= rule.max_width_ratio * _width_px(found[0])
    ]
    if rivals:
        raise GenerationError(
            f"--portrait {path}: shows {len(found)} faces; choose one with --face, or the widest with --face largest: "
            f"{listed}"
        )
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
