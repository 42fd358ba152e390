"""Dense landmarks of a detected face: 478 points, head pose and 52 blendshapes (MediaPipe).

The networks after the detector of MediaPipe's Face Landmarker (`face_landmarker.task`, Apache-2.0), run one by one
through LiteRT; the steps between them are those of MediaPipe's face_landmarker_graph in image mode.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.perception.faces.canonical_face import head_rotation, read_canonical_face
from curation.perception.faces.face_landmarker import open_bundle
from curation.perception.faces.search import Candidate, shared_fraction
from curation.perception.pose.angles import pose_from_rotation
from curation.perception.protocols import FaceObservation, Sighting, Square
from curation.perception.runtime.litert import LiteRtNetwork
from foundation.array_types import Float32Array, Float64Array, RgbImage
from manifests.landmarks import landmark_box

__all__ = ["FaceMesh", "can_be_followed", "carried_box", "eye_middles", "looks_of"]

_MAX_FACES = 4

_MIN_PRESENCE = 0.5
"""Least confidence of the landmark network that there is a face; MediaPipe's default."""

_MESH_PX = 256
"""Side of the landmark network's input."""

_MESH_ROOM = 1.5
"""Side of the square given to it over the detector's box (face_detector_graph)."""

_MAX_FOLLOWED_YAW_DEG = 25.0
"""A head turned further is searched for in every frame: there the exact position of the landmark network's input
changes the frontal angle by up to 5 degrees, for a head turned less by less than 2 (measured on the sample video)."""

_EYES = np.array([(33, 133), (362, 263)])
"""Corners of the right eye, of the left eye."""

# fmt: off
_BLENDSHAPE_POINTS = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
])
"""The 146 landmarks that the blendshape network takes (face_blendshapes_graph)."""

# fmt: on


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outline:
    """The rectangle around a face's landmarks, upright as the face is."""

    axes: Float64Array
    """(2, 2) unit vectors along the eyes and down the face."""
    centre: Float64Array
    """(2,) on these axes."""
    longer: float
    """Its longer side, pixels."""
    eyes_px: Float64Array
    """(2, 2) middles of the right and the left eye, pixels of the frame."""


class FaceMesh:
    """Finds landmarks, pose and blendshapes of faces, given where a detector found them.

    Every face has a `Sighting`. With it, the landmarks of a face give the box that the detector would return for it in
    the next frame, and the network finds the face in that box.
    """

    scheme = "mediapipe478"
    pose_method = "mediapipe_transform"

    def __init__(self, bundle: Path | None = None) -> None:
        """Load the models.

        Args:
            bundle: `face_landmarker.task`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        from curation.perception.runtime.litert_graph import with_prelu_by_rows  # loads LiteRT

        with open_bundle(bundle) as members:
            self._mesh = LiteRtNetwork(with_prelu_by_rows(members.read("face_landmarks_detector.tflite")))
            self._blendshapes = LiteRtNetwork(members.read("face_blendshapes.tflite"))
            self._canonical = read_canonical_face(members.read("geometry_pipeline_metadata_landmarks.binarypb"))

    def faces(self, frame: RgbImage, candidates: Iterable[Candidate]) -> list[FaceObservation]:
        """Return up to four faces of `frame`, (H, W, 3), the widest first, given detections."""
        faces: list[FaceObservation] = []
        widest_first = sorted(candidates, key=lambda one: -_width(one.box_px))
        for candidate in widest_first[:_MAX_FACES]:
            face = self.face(frame, candidate)
            # two candidates can end on one face
            if face is not None and all(shared_fraction(face.box_px, other.box_px) < 0.5 for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda one: -_width(one.box_px))

    def followed(self, frame: RgbImage, near: Sequence[FaceObservation]) -> list[FaceObservation] | None:
        """Return the faces of the previous frame, `near`, where they are in `frame`.

        None as soon as one of them is lost: not found, or the same face as another. No detector runs.
        """
        faces: list[FaceObservation] = []
        for before in near:
            face = self.follow(frame, before)
            if face is None or any(shared_fraction(face.box_px, other.box_px) >= 0.5 for other in faces):
                return None
            faces.append(face)
        return sorted(faces, key=lambda one: -_width(one.box_px))

    def follow(self, frame: RgbImage, before: FaceObservation) -> FaceObservation | None:
        """Return a face of the previous frame where it is in `frame`.

        None where the network finds no face there, and for a face without a `Sighting`.
        """
        if before.sighting is None:
            return None
        return self._landmark(frame, _as_detected(before, before.sighting), before.sighting.detector_box)

    def face(self, frame: RgbImage, candidate: Candidate) -> FaceObservation | None:
        """Return the face in `candidate`, or None where the landmark network finds none."""
        return self._landmark(frame, candidate, None)

    def _landmark(
        self, frame: RgbImage, candidate: Candidate, detector_box: tuple[float, float, float] | None
    ) -> FaceObservation | None:
        """Return the face in `candidate` with the `detector_box` given, else with that in which `candidate` lies."""
        to_frame = _mesh_square(candidate)
        np.divide(_warp(frame, to_frame), 255.0, out=self._mesh.input()[0], dtype=np.float32)
        raw, presence, _ = self._mesh.run()
        if 1.0 / (1.0 + math.exp(-float(presence.item()))) < _MIN_PRESENCE:
            return None
        points = raw.reshape(-1, 3).astype(np.float64)  # in pixels of the network's input, z away from the camera
        landmarks_px: Float32Array = (points[:, :2] @ to_frame[:, :2].T + to_frame[:, 2]).astype(np.float32)
        upright = np.empty((len(points), 3))
        upright[:, :2] = landmarks_px
        upright[:, 2] = points[:, 2] * math.hypot(to_frame[0, 0], to_frame[1, 0])
        upright[:, 1:] *= -1.0
        outline = _outline(landmarks_px)
        return FaceObservation(
            sighting=Sighting(
                look=candidate.look,
                detector_box=_box_over(outline, candidate) if detector_box is None else detector_box,
            ),
            box_px=landmark_box(landmarks_px),
            score=candidate.score,
            landmarks_px=landmarks_px,
            pose_deg=pose_from_rotation(head_rotation(upright, self._canonical)),
            blendshapes=self._blendshapes(landmarks_px[None, _BLENDSHAPE_POINTS])[0].copy(),
        )


def looks_of(faces: Iterable[FaceObservation]) -> list[Square] | None:
    """Return the looks in which these faces were detected, each once; None where one of them is not known."""
    looks = [None if face.sighting is None else face.sighting.look for face in faces]
    known = [look for look in dict.fromkeys(looks) if look is not None]
    return None if None in looks else known


def can_be_followed(faces: Iterable[FaceObservation]) -> bool:
    """Return whether all of these heads are frontal enough for `FaceMesh.follow` to find what a search would."""
    return all(abs(float(face.pose_deg[1])) <= _MAX_FOLLOWED_YAW_DEG for face in faces)


def carried_box(before: FaceObservation, now: FaceObservation) -> Float64Array:
    """Return `before.box_px`, moved and scaled as the landmarks of the face have moved since.

    Args:
        before: the face in the previous frame.
        now: the same face; its box is not used.

    Returns:
        (4,) x0, y0, x1, y1.
    """
    first, last = _outline(before.landmarks_px), _outline(now.landmarks_px)
    low, high = before.box_px.reshape(2, 2).astype(np.float64)
    offset = first.axes @ ((low + high) / 2) - first.centre
    growth = last.longer / first.longer
    middle, half = (last.centre + offset * growth) @ last.axes, (high - low) / 2 * growth
    return np.concatenate([middle - half, middle + half])


def eye_middles(landmarks_px: Float32Array) -> Float64Array:
    """Return the (2, 2) middles of the right and the left eye."""
    corners_px = landmarks_px[_EYES].astype(np.float64)
    middles: Float64Array = (corners_px[:, 0] + corners_px[:, 1]) / 2
    return middles


def _outline(landmarks_px: Float32Array) -> _Outline:
    eyes_px = eye_middles(landmarks_px)
    across = eyes_px[1] - eyes_px[0]
    cos, sin = across / max(math.hypot(*across), 1e-6)
    axes = np.array([(cos, sin), (-sin, cos)])
    upright = axes @ landmarks_px.T
    low, high = upright.min(axis=1), upright.max(axis=1)
    return _Outline(axes=axes, centre=(low + high) / 2, longer=float((high - low).max()), eyes_px=eyes_px)


def _box_over(outline: _Outline, candidate: Candidate) -> tuple[float, float, float]:
    """Return `Sighting.detector_box` of a face that was found in `candidate`."""
    low, high = candidate.box_px.reshape(2, 2)
    along, down = (outline.axes @ ((low + high) / 2) - outline.centre) / outline.longer
    return float(along), float(down), float((high - low).max()) / outline.longer


def _as_detected(face: FaceObservation, sighting: Sighting) -> Candidate:
    """Return the detection that the detector would give for a face with these landmarks."""
    outline = _outline(face.landmarks_px)
    along, down, side = sighting.detector_box
    middle = (outline.centre + outline.longer * np.array([along, down])) @ outline.axes
    half = side * outline.longer / 2
    return Candidate(
        box_px=np.concatenate([middle - half, middle + half]),
        eyes_px=outline.eyes_px,
        score=face.score,
        look=sighting.look,
    )


def _mesh_square(candidate: Candidate) -> Float64Array:
    """Return the (2, 3) map from pixel corners of the landmark network's input to the frame.

    A square around the detector's box, turned so that the eyes lie level.
    """
    (x0, y0), (x1, y1) = candidate.box_px.reshape(2, 2)
    scale = max(x1 - x0, y1 - y0) * _MESH_ROOM / _MESH_PX
    along = candidate.eyes_px[1] - candidate.eyes_px[0]
    cos, sin = along / max(float(np.hypot(*along)), 1e-6)
    turn = scale * np.array([[cos, -sin], [sin, cos]])
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    return np.hstack([turn, (centre - turn @ np.full(2, _MESH_PX / 2))[:, None]])


def _warp(frame: RgbImage, to_frame: Float64Array) -> RgbImage:
    """Return the (256, 256, 3) image that `to_frame` maps into `frame`; the border of the frame is replicated."""
    import cv2

    # OpenCV counts from the centre of the first pixel
    centred = to_frame.copy()
    centred[:, 2] += to_frame[:, :2] @ (0.5, 0.5) - 0.5
    warped: RgbImage = cv2.warpAffine(
        frame, centred, (_MESH_PX, _MESH_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.uint8, copy=False)  # fmt: skip
    return warped


def _width(box_px: Float32Array | Float64Array) -> float:
    return float(box_px[2] - box_px[0])
