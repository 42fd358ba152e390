"""Face finder of dlib: HOG detector, 68 points, pose from thirteen of them.

The detector is Dalal and Triggs' histogram of oriented gradients as dlib trains it (part of the library, BSL-1.0);
the points are those of `dlib_points`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.perception.cards import FaceFinderCard
from curation.perception.faces.dlib_points import PREDICTOR, DlibPoints
from curation.perception.pose.angles import pose_from_rotation
from curation.perception.protocols import FaceObservation
from foundation.array_types import Float32Array, Float64Array, RgbImage
from manifests.landmarks import landmark_box

__all__ = ["DLIB_FACES", "DlibFaces"]

_MAX_FACES = 4

_LOOK_PX = 480
"""Shorter side of the image that the detector gets, without its border; the smallest face is 80 px wide there."""

_BORDER = 0.25
"""Border around the frame over its longer side; without it a close-up, which the frame cuts off, is not found."""

_SCORE_SCALE = 1.0
"""dlib's score is a distance to a hyperplane; 1 - exp(-score / scale) brings it to 0..1."""

_POSE_POINTS = (27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45, 48, 54)
"""Bridge, tip and base of the nose, eye corners, mouth corners, in the order of `_HEAD`."""

_HEAD = np.array(
    [
        [0.0, 3.27, 5.24],
        [0.0, 1.73, 6.32],
        [0.0, 0.37, 7.24],
        [0.0, -0.46, 7.59],
        [-1.41, -1.71, 5.24],
        [0.0, -2.09, 6.06],
        [1.41, -1.71, 5.24],
        [-4.45, 2.66, 3.17],
        [-1.86, 2.59, 3.76],
        [1.86, 2.59, 3.76],
        [4.45, 2.66, 3.17],
        [-2.46, -4.34, 4.28],
        [2.46, -4.34, 4.28],
    ]
)
"""Those points of MediaPipe's canonical face (Apache-2.0), centimetres;
x to the image's right, y up, z to the camera."""


class DlibFaces:
    """A `FaceFinder` with at most four faces per frame; one narrower than a sixth of the frame is not found."""

    scheme = "ibug68"
    pose_method = "dlib68_pnp"

    def __init__(self, predictor: Path | None = None) -> None:
        """Load the models.

        Args:
            predictor: `shape_predictor_68_face_landmarks.dat`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        import dlib

        self._detector = dlib.get_frontal_face_detector()
        self._points = DlibPoints(predictor)

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:  # noqa: ARG002
        """Return up to four faces of `frame`, (H, W, 3), the widest first; every frame is searched in full."""
        import cv2

        height, width = frame.shape[:2]
        border = round(_BORDER * max(height, width))
        padded = cv2.copyMakeBorder(frame, border, border, border, border, cv2.BORDER_CONSTANT)
        scale = min(1.0, _LOOK_PX / min(height, width))
        look = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1.0 else padded
        rectangles, scores, _ = self._detector.run(look, 0)
        faces = []
        for rectangle, score in zip(rectangles, scores, strict=True):
            edges = (rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom())
            points = self._points(frame, np.array([round(edge / scale) for edge in edges]) - border + (0, 0, 1, 1))
            faces.append(_observation(points, score=float(1.0 - np.exp(-score / _SCORE_SCALE)), frame=frame))
        faces.sort(key=lambda one: -float(one.box_px[2] - one.box_px[0]))
        return faces[:_MAX_FACES]


DLIB_FACES = FaceFinderCard(
    name="dlib",
    scheme=DlibFaces.scheme,
    pose_method=DlibFaces.pose_method,
    assets=(PREDICTOR,),
    runtime="dlib-bin",
    load=lambda _settings: DlibFaces(),
)


def _observation(points_px: Float64Array, *, score: float, frame: RgbImage) -> FaceObservation:
    landmarks_px: Float32Array = points_px.astype(np.float32)
    return FaceObservation(
        box_px=landmark_box(landmarks_px),
        score=min(max(score, 0.0), 1.0),
        landmarks_px=landmarks_px,
        pose_deg=pose_from_rotation(_rotation(points_px, frame)),
        blendshapes=None,
    )


def _rotation(points_px: Float64Array, frame: RgbImage) -> Float64Array:
    """Return the (3, 3) rotation of the head, y up and z to the camera, for a camera with 53 degrees of view."""
    import cv2

    height, width = frame.shape[:2]
    focal_px = float(max(height, width))
    camera = np.array([[focal_px, 0.0, width / 2], [0.0, focal_px, height / 2], [0.0, 0.0, 1.0]])
    # OpenCV's camera looks along +z with y down: half a turn about x from ours
    flip = np.diag([1.0, -1.0, -1.0])
    eyes_px = float(np.linalg.norm(points_px[45] - points_px[36]))
    distance = focal_px * float(_HEAD[10, 0] - _HEAD[7, 0]) / max(eyes_px, 1.0)
    offset = (points_px[27] - (width / 2, height / 2)) / focal_px * distance
    # there is a mirrored solution behind the camera: begin in front of it, and upright
    guess = np.array([offset[0], offset[1], distance])
    _, turn, _ = cv2.solvePnP(
        _HEAD @ flip, points_px[list(_POSE_POINTS)], camera, np.zeros(4), np.zeros(3), guess,
        useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE,
    )  # fmt: skip
    rotation: Float64Array = flip @ np.asarray(cv2.Rodrigues(turn)[0], np.float64) @ flip
    return rotation
