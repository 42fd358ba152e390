"""Face finder of the preset `paper`: boxes of InsightFace's SCRFD with dense landmarks of MediaPipe's network in them.

The paper's own landmark network (Wood et al., 2021) was never released. `face_mesh` stands in for it: 478 points, 52
blendshapes and a head pose, on the square that MediaPipe's own detector would have given for SCRFD's box. The points by
which jitter is judged are dlib's, as appendix A.1 says (`dlib_points`), in a rectangle that is computed here. dlib's
own detector is not used: its rectangle jumps between steps of an image pyramid even if the face does not move
(benchmarks/results/2026-11-filter-limits.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.evidence.boxes import box_overlap
from curation.perception.cards import FaceFinderCard
from curation.perception.faces.dlib_points import DLIB_JITTER, DlibJitterPoints
from curation.perception.faces.face_landmarker import FACE_LANDMARKS
from curation.perception.faces.face_mesh import FaceMesh, can_be_followed, carried_box, eye_middles
from curation.perception.faces.scrfd import STRIDE_PX, Scrfd, scrfd_card
from curation.perception.faces.search import (
    Candidate,
    are_wide_enough,
    cut_square,
    full_image,
    halved,
    shared_fraction,
    with_others,
)
from curation.perception.protocols import FaceObservation, Square
from curation.perception.settings import LEAST_FACE_PX
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import Device, resolve_device
from foundation.weights import asset_path

__all__ = ["SCRFD_FACES", "ScrfdFaces"]

_MAX_FACES = 4

_FIRST_LOOK_PX, _LARGEST_LOOK_PX = 320, 640
"""Longer side of the looks at the full frame and its border. A second, larger look follows where the first shows no
wide face; 640 is the size that SCRFD was trained on."""

_WIDE_FACE_PX = 40
"""A face this wide in a look makes a larger look unnecessary: a face half as wide is found there, too."""

_SURELY_FOUND_PX = 24.0
"""Width in a look from which the smallest SCRFD finds 97 of 100 real faces; of 16 px it finds 71. A third look, as
large as it takes, follows where the narrowest face that is asked for could be less wide in the second."""

_CLOSE_PX = 160
"""Side of the look at one face. Every box comes from such a look, so that it is as exact anywhere in the frame."""

_CLOSE_ROOM = 2.0
"""Side of the square in that look, over the longer side of the box."""

_MIN_OVERLAP = 0.3
"""Smallest intersection over union of a face's box with the box around which it was searched."""

_ONE_FACE = 0.5
"""Two boxes that share so much of the smaller one are of one face."""

_MESH_SIDE, _MESH_DOWN = 0.80, 0.10
"""MediaPipe's box out of SCRFD's: its side, and how far its centre lies down the face from SCRFD's, over the height of
SCRFD's. Measured on 139 faces of real clips, half of them turned by 30 degrees: 80 % within 0.04."""

_DLIB_SIDE, _DLIB_DOWN = 0.77, 0.08
"""The same for the rectangle of dlib's detector, in which its points are sought. On 14 clips its side was 0.70 or 0.84,
two steps of its pyramid, and it lay 0.07 to 0.11 lower."""


class ScrfdFaces:
    """A `FaceFinder` with at most four faces per frame."""

    scheme = FaceMesh.scheme
    pose_method = FaceMesh.pose_method

    def __init__(
        self, model: Path, device: Device, bundle: Path | None = None, least_face_px: float = LEAST_FACE_PX
    ) -> None:
        """Load the models.

        Args:
            model: ONNX file of SCRFD.
            device: where SCRFD runs; the landmark network runs on the CPU.
            bundle: `face_landmarker.task`; None takes the one of the asset registry.
            least_face_px: width of the narrowest face that is found in frames of any size, pixels.

        Raises:
            MissingAssetsError: the bundle is not on this machine.
            DeviceError: `device` is a named GPU that onnxruntime cannot use.
            ValueError: `model` is no SCRFD with five points.
        """
        self._scrfd = Scrfd(model, device)
        self._mesh = FaceMesh(bundle)
        self._least_face_px = least_face_px

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        """Return up to four faces of `frame`, (H, W, 3), the widest first; see `FaceFinder`."""
        followed = self._follow(frame, near) if near else None
        return self._search(frame) if followed is None else followed

    def _follow(self, frame: RgbImage, near: Sequence[FaceObservation]) -> list[FaceObservation] | None:
        """Return the faces of `near` where they are in `frame`; None as soon as one of them is lost.

        The landmark network follows frontal heads, and their boxes move with the landmarks; SCRFD detects turned heads.
        """
        if can_be_followed(near):
            return self._carried(frame, near)
        candidates = []
        for face in near:
            candidate = self._close_look(frame, face.box_px)
            if candidate is None:
                return None
            candidates.append(candidate)
        faces = self._landmark(frame, candidates)
        return faces if len(faces) == len(near) else None

    def _carried(self, frame: RgbImage, near: Sequence[FaceObservation]) -> list[FaceObservation] | None:
        faces: list[FaceObservation] = []
        for before in near:
            face = self._mesh.follow(frame, before)
            if face is None:
                return None
            candidate = Candidate(
                box_px=carried_box(before, face),
                eyes_px=eye_middles(face.landmarks_px),
                score=face.score,
            )
            if any(shared_fraction(candidate.box_px, other.box_px) >= _ONE_FACE for other in faces):
                return None
            faces.append(_placed(face, candidate))
        return sorted(faces, key=lambda one: -_width(one.box_px))

    def _search(self, frame: RgbImage) -> list[FaceObservation]:
        found = self._full_look(frame, _FIRST_LOOK_PX)
        side = full_image(*frame.shape[1::-1]).side
        widest_px = max((_width(one.box_px) for one in found), default=0.0) * _FIRST_LOOK_PX / side
        if widest_px < _WIDE_FACE_PX:
            found = self._full_look(frame, _second_look_px(widest_px)) or found
        finest_px = _covering(side * _SURELY_FOUND_PX / self._least_face_px)
        if finest_px > _LARGEST_LOOK_PX and not are_wide_enough(found, self._least_face_px):
            found = with_others(self._full_look(frame, finest_px), found)
        widest = sorted(found, key=lambda one: -_width(one.box_px))[:_MAX_FACES]
        return self._landmark(frame, [self._close_look(frame, one.box_px) or one for one in widest])

    def _full_look(self, frame: RgbImage, look_px: int) -> list[Candidate]:
        small, factor = halved(frame, look_px)
        height, width = small.shape[:2]
        square = full_image(width, height)
        look = cut_square(small, square, look_px)
        # the square is black above and below a wide frame, left and right of a tall one: the border is enough
        border = square.side - max(width, height)
        rows, columns = (_covering((extent + border) * look_px / square.side) for extent in (height, width))
        top, left = (look_px - rows) // 2, (look_px - columns) // 2
        found = self._scrfd(look[top : top + rows, left : left + columns])
        scale = factor * square.side / look_px
        origin = (left * scale + factor * square.x0, top * scale + factor * square.y0)
        return [_in_frame(one, np.array(origin), scale) for one in found]

    def _close_look(self, frame: RgbImage, box_px: Float32Array | Float64Array) -> Candidate | None:
        """Return the face in `frame` that overlaps `box_px` most; None where there is no such face."""
        side = 2.0 * round(_CLOSE_ROOM / 2 * float((box_px[2:] - box_px[:2]).max()))
        # whole pixels, and an even number: the square is cut from the frame, and halved, without an offset
        corner = np.round((box_px[:2] + box_px[2:] - side) / 2).astype(np.float64)
        found = self._scrfd(cut_square(frame, Square(x0=corner[0], y0=corner[1], side=side), _CLOSE_PX))
        if not found:
            return None
        found = [_in_frame(one, corner, side / _CLOSE_PX) for one in found]
        boxes = np.stack([one.box_px for one in found]).astype(np.float32)
        overlap = box_overlap(boxes, box_px[None].astype(np.float32))[:, 0]
        return found[int(overlap.argmax())] if overlap.max() >= _MIN_OVERLAP else None

    def _landmark(self, frame: RgbImage, candidates: Sequence[Candidate]) -> list[FaceObservation]:
        faces: list[FaceObservation] = []
        for candidate in candidates:
            square = _lower_square(candidate, side=_MESH_SIDE, down=_MESH_DOWN)
            face = self._mesh.face(frame, replace(candidate, box_px=square))
            if face is None:
                continue
            # two candidates can end on one face
            if all(shared_fraction(candidate.box_px, other.box_px) < _ONE_FACE for other in faces):
                faces.append(_placed(face, candidate))
        return sorted(faces, key=lambda one: -_width(one.box_px))


SCRFD_FACES = FaceFinderCard(
    name="scrfd",
    scheme=ScrfdFaces.scheme,
    pose_method=ScrfdFaces.pose_method,
    parts=lambda settings: (FACE_LANDMARKS, DLIB_JITTER, scrfd_card(settings.scrfd)),
    load=lambda settings: ScrfdFaces(
        asset_path(settings.scrfd), resolve_device(settings.device), least_face_px=settings.least_face_px
    ),
    load_jitter=DlibJitterPoints,
)


def _placed(face: FaceObservation, candidate: Candidate) -> FaceObservation:
    """Return a face of the landmark network with SCRFD's box in which it was found, and dlib's rectangle."""
    rectangle_px = _lower_square(candidate, side=_DLIB_SIDE, down=_DLIB_DOWN)
    return replace(face, box_px=candidate.box_px.astype(np.float32), jitter_box_px=rectangle_px.astype(np.float32))


def _lower_square(candidate: Candidate, *, side: float, down: float) -> Float64Array:
    """Return the box of another detector, (4,), for a face in SCRFD's box.

    Args:
        candidate: what SCRFD found; its box includes the forehead.
        side: of the other box, over the height of SCRFD's.
        down: from the centre of SCRFD's box down the face to that of the other, over the same height.
    """
    height = float(candidate.box_px[3] - candidate.box_px[1])
    along = candidate.eyes_px[1] - candidate.eyes_px[0]
    downwards = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    centre = (candidate.box_px[:2] + candidate.box_px[2:]) / 2 + down * height * downwards
    return np.concatenate([centre - side * height / 2, centre + side * height / 2])


def _in_frame(candidate: Candidate, origin_px: Float64Array, scale: float) -> Candidate:
    """Return a candidate of a look whose top left corner is at `origin_px` of the frame, and `scale` px one of its."""
    return Candidate(
        box_px=candidate.box_px * scale + np.tile(origin_px, 2),
        eyes_px=candidate.eyes_px * scale + origin_px,
        score=candidate.score,
    )


def _second_look_px(widest_px: float) -> int:
    """Return the side of the look in which the face that is `widest_px` wide in the first is wide; 0 px is no face."""
    if widest_px * _LARGEST_LOOK_PX <= _WIDE_FACE_PX * _FIRST_LOOK_PX:
        return _LARGEST_LOOK_PX
    return _covering(_FIRST_LOOK_PX * _WIDE_FACE_PX / widest_px)


def _covering(extent_px: float) -> int:
    """Return the least multiple of SCRFD's stride that covers `extent_px`."""
    return STRIDE_PX * int(np.ceil(extent_px / STRIDE_PX - 1e-6))


def _width(box_px: Float32Array | Float64Array) -> float:
    return float(box_px[2] - box_px[0])
