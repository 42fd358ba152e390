"""Face finder of dlib: HOG detector, 68 points, pose from thirteen of them.

The detector is Dalal and Triggs' histogram of oriented gradients as dlib trains it (part of the library, BSL-1.0);
the points are those of `dlib_points`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.perception.cards import FaceFinderCard
from curation.perception.faces.dlib_points import PREDICTOR, DlibPoints
from curation.perception.faces.search import Candidate, are_wide_enough, merge_candidates, with_others
from curation.perception.pose.angles import pose_from_rotation
from curation.perception.protocols import FaceObservation
from curation.perception.settings import LEAST_FACE_PX
from foundation.array_types import Float32Array, Float64Array, RgbImage
from manifests.landmarks import landmark_box

__all__ = ["DLIB_FACES", "DlibFaces"]

_MAX_FACES = 4

_LOOK_PX = 480
"""Shorter side of the image that the detector gets, without its border; its sliding window is 80 px wide."""

_SURELY_FOUND_PX = 70.0
"""Width of the landmarks in a look from which the detector finds 97 of 100 real faces, as of any larger ones."""

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
    """A `FaceFinder` with at most four faces per frame."""

    scheme = "ibug68"
    pose_method = "dlib68_pnp"

    def __init__(self, predictor: Path | None = None, least_face_px: float = LEAST_FACE_PX) -> None:
        """Load the models.

        Args:
            predictor: `shape_predictor_68_face_landmarks.dat`; None takes the one of the asset registry.
            least_face_px: width of the narrowest face that is found in frames of any size, pixels.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        import dlib

        self._detector = dlib.get_frontal_face_detector()
        self._points = DlibPoints(predictor)
        self._least_face_px = least_face_px

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        """Return up to four faces of `frame`, (H, W, 3), the widest first; every frame is searched in full.

        Where that shows no face as wide as the narrowest that is asked for, and could not have, a look as large as it
        takes follows: at the surroundings of the faces in `near`, and at the full frame where one of them is lost.
        """
        found = self._full_look(frame)
        scale = _SURELY_FOUND_PX / self._least_face_px
        if _look_scale(frame) < scale and not are_wide_enough(found, self._least_face_px):
            around = [] if near is None else [one for face in near for one in self._look_around(frame, face, scale)]
            finer = around if around and len(around) >= len(near or ()) else self._look(frame, scale)
            found = with_others(merge_candidates(finer), found)
        faces = [self._face(frame, one) for one in found]
        faces.sort(key=lambda one: -float(one.box_px[2] - one.box_px[0]))
        return faces[:_MAX_FACES]

    def _full_look(self, frame: RgbImage) -> list[Candidate]:
        """Look at the full frame with a border around it."""
        import cv2

        border = round(_BORDER * max(frame.shape[:2]))
        padded = cv2.copyMakeBorder(frame, border, border, border, border, cv2.BORDER_CONSTANT)
        return self._look(np.asarray(padded, np.uint8), _look_scale(frame), border)

    def _look_around(self, frame: RgbImage, face: FaceObservation, scale: float) -> list[Candidate]:
        """Look at the surroundings of a face of the frame before."""
        x0, y0, x1, y1 = (round(float(edge)) for edge in face.box_px)
        room = x1 - x0
        left, top = max(0, x0 - room), max(0, y0 - room)
        part = np.ascontiguousarray(frame[top : y1 + room, left : x1 + room])
        return [
            Candidate(box_px=one.box_px + np.array([left, top, left, top]), eyes_px=one.eyes_px, score=one.score)
            for one in (self._look(part, scale) if part.size else [])
        ]

    def _look(self, image: RgbImage, scale: float, border: int = 0) -> list[Candidate]:
        """Return dlib's rectangles in an image that is resized by `scale`, in its pixels less a border."""
        import cv2

        method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
        look = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method) if scale != 1.0 else image
        rectangles, scores, _ = self._detector.run(look, 0)
        found = []
        for rectangle, score in zip(rectangles, scores, strict=True):
            edges = (rectangle.left(), rectangle.top(), rectangle.right(), rectangle.bottom())
            box_px = np.array([round(edge / scale) for edge in edges], np.float64) - border + (0, 0, 1, 1)
            found.append(Candidate(box_px=box_px, eyes_px=np.zeros((2, 2)), score=float(score)))
        return found

    def _face(self, frame: RgbImage, candidate: Candidate) -> FaceObservation:
        points = self._points(frame, candidate.box_px)
        return _observation(points, score=float(1.0 - np.exp(-candidate.score / _SCORE_SCALE)), frame=frame)


DLIB_FACES = FaceFinderCard(
    name="dlib",
    scheme=DlibFaces.scheme,
    pose_method=DlibFaces.pose_method,
    # on 53 faces of real videos: 1.20 to 1.40 and -0.22 to -0.12 in 80 % of them, against SCRFD's boxes
    head_box=(1.29, -0.17),
    assets=(PREDICTOR,),
    runtime="dlib-bin",
    load=lambda settings: DlibFaces(least_face_px=settings.least_face_px),
)


def _look_scale(frame: RgbImage) -> float:
    """Return by how much the look at the full frame is smaller than it."""
    scale: float = min(1.0, _LOOK_PX / min(frame.shape[:2]))
    return scale


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
