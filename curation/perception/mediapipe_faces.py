"""Faces by MediaPipe: box, 478 points, 52 blendshapes and the head's rotation, on one thread, without memory.

The landmarker's own detector sees the whole picture at 128x128 and loses small faces, so its two stages are called
apart: the detector of the same bundle on a padded look at the picture and, where no face fills a good part of that,
on overlapping tiles; then the landmarker on a crop around each face. Models: `face_landmarker.task`, Apache-2.0.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.assets import asset_path
from curation.perception.face_search import (
    Candidate,
    Square,
    cut_square,
    is_cut_off,
    merge_candidates,
    shared_part,
    tiles,
    whole_picture,
)
from curation.perception.head_pose import pose_from_rotation
from curation.perception.native_log import without_start_up_chatter
from curation.perception.protocols import FaceObservation
from manifests.arrays import Float32Array, RgbImage

if TYPE_CHECKING:
    from mediapipe.tasks.python import vision

__all__ = ["MediaPipeFaces"]

_MAX_FACES = 4
_MIN_SCORE = 0.5
"""Least confidence of the detector; MediaPipe's own default."""

_LOOK_PX = 128
"""Side of the detector's input."""

_LARGE_FACE = 0.25
"""A box at least this wide, over the picture's longer side, needs no tiles: a face half as wide is seen in the look."""

_ROOM = 2.0
"""Side of the landmarker's crop over the detector's box."""

_CROP_PX = 320
"""Largest side of that crop: the landmarker then samples its 256x256 input from at least as many pixels."""


class MediaPipeFaces:
    """A `FaceFinder` with at most four faces per picture."""

    scheme = "mediapipe478"
    pose_method = "mediapipe_transform"

    def __init__(self, bundle: Path | None = None) -> None:
        """Load the models.

        Args:
            bundle: `face_landmarker.task`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        bundle = asset_path("face_landmarker") if bundle is None else bundle
        with without_start_up_chatter():
            self._detector = _make_detector(bundle)
            self._landmarker = _make_landmarker(bundle)
            self._detect(np.zeros((_LOOK_PX, _LOOK_PX, 3), np.uint8), whole_picture(_LOOK_PX, _LOOK_PX))

    def __call__(self, frame: RgbImage) -> list[FaceObservation]:
        """Return up to four faces of `frame`, (H, W, 3), the widest first."""
        faces: list[FaceObservation] = []
        candidates = sorted(self._candidates(frame), key=lambda one: -float(one.box_px[2] - one.box_px[0]))
        for candidate in candidates[:_MAX_FACES]:
            face = self._landmark(frame, candidate)
            # two candidates can end on one face
            if face is not None and all(shared_part(face.box_px, other.box_px) < 0.5 for other in faces):
                faces.append(face)
        return sorted(faces, key=lambda one: -float(one.box_px[2] - one.box_px[0]))

    def _candidates(self, frame: RgbImage) -> list[Candidate]:
        height, width = frame.shape[:2]
        found = self._detect(frame, whole_picture(width, height))
        widest = max((float(one.box_px[2] - one.box_px[0]) for one in found), default=0.0)
        if widest < _LARGE_FACE * max(width, height):
            # boxes of small faces are coarse in the look at the whole picture: those of the tiles go first
            sharper = [
                one for tile in tiles(width, height) for one in self._detect(frame, tile)
                if not is_cut_off(one, tile, width, height)
            ]  # fmt: skip
            return merge_candidates(sharper) or merge_candidates(found)
        return merge_candidates(found)

    def _detect(self, frame: RgbImage, square: Square) -> list[Candidate]:
        import mediapipe

        look = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=cut_square(frame, square, _LOOK_PX))
        scale = square.side / _LOOK_PX
        candidates = []
        for detection in self._detector.detect(look).detections:
            box = detection.bounding_box
            x0, y0 = square.x0 + box.origin_x * scale, square.y0 + box.origin_y * scale
            box_px = np.array([x0, y0, x0 + box.width * scale, y0 + box.height * scale])
            candidates.append(Candidate(box_px=box_px, score=float(detection.categories[0].score)))
        return candidates

    def _landmark(self, frame: RgbImage, candidate: Candidate) -> FaceObservation | None:
        """Return the face in the middle of `candidate`, or None where the landmarker sees none there."""
        import mediapipe

        x0, y0, x1, y1 = candidate.box_px
        side = max(x1 - x0, y1 - y0) * _ROOM
        square = Square(x0=(x0 + x1 - side) / 2, y0=(y0 + y1 - side) / 2, side=side)
        side_px = min(_CROP_PX, max(_LOOK_PX, round(side)))
        crop = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=cut_square(frame, square, side_px))
        result = self._landmarker.detect(crop)
        if not result.face_landmarks:
            return None
        points = np.array([(point.x, point.y) for point in result.face_landmarks[0]])
        landmarks_px: Float32Array = (points * side + (square.x0, square.y0)).astype(np.float32)
        box_px = np.concatenate([landmarks_px.min(axis=0), landmarks_px.max(axis=0)])
        if shared_part(box_px, candidate.box_px) < 0.5:  # a neighbour's face
            return None
        return FaceObservation(
            box_px=box_px,
            score=candidate.score,
            landmarks_px=landmarks_px,
            pose_deg=pose_from_rotation(result.facial_transformation_matrixes[0][:3, :3].astype(np.float64)),
            blendshapes=np.array([shape.score for shape in result.face_blendshapes[0]], np.float32),
        )


def _make_detector(bundle: Path) -> "vision.FaceDetector":
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    with zipfile.ZipFile(bundle) as members:
        model = members.read("face_detector.tflite")
    return vision.FaceDetector.create_from_options(
        vision.FaceDetectorOptions(
            base_options=tasks.BaseOptions(model_asset_buffer=model), min_detection_confidence=_MIN_SCORE
        )
    )


def _make_landmarker(bundle: Path) -> "vision.FaceLandmarker":
    from mediapipe.tasks import python as tasks
    from mediapipe.tasks.python import vision

    return vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(bundle)),
            num_faces=1,
            # the candidate has passed the detector; in the crop a lower mark keeps faces in profile
            min_face_detection_confidence=0.3,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
    )
