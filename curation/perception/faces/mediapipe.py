"""Face finder with the models of MediaPipe's Face Landmarker: box, 478 points, 52 blendshapes, head pose.

MediaPipe's own pipeline scales the full frame to 128x128 and loses small faces, starts threads and returns no scores.
So its networks (`face_landmarker.task`, Apache-2.0) are run one by one through LiteRT, on one thread: the detector on a
padded look at the frame and, where no face fills much of that, on overlapping tiles; then `face_mesh` finds
landmarks and blendshapes per face. The steps between the networks are those of MediaPipe's face_landmarker_graph in
image mode, and tests compare the results with it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.perception.cards import FaceFinderCard
from curation.perception.faces.blaze_face import INPUT_PX, anchor_centres, decode_faces
from curation.perception.faces.face_landmarker import BUNDLE, open_bundle
from curation.perception.faces.face_mesh import FaceMesh, can_be_followed, looks_of
from curation.perception.faces.search import (
    Candidate,
    cut_square,
    full_image,
    halved,
    is_cut_off,
    merge_candidates,
    shared_fraction,
    tiles,
)
from curation.perception.protocols import FaceObservation, Square
from curation.perception.runtime.litert import LiteRtNetwork
from foundation.array_types import Float32Array, Float64Array, RgbImage

__all__ = ["MEDIAPIPE_FACES", "MediaPipeFaces"]

_MIN_ANSWER = 0.5
"""Least confidence of a single detection; detections of one face are averaged. MediaPipe's default."""

_MIN_SCORE = 0.65
"""Least confidence that there is a face: above the scores of foliage and of a cartoon in real clips, below all
speakers'."""

_LARGE_FACE = 0.25
"""A box at least this wide, over the longer side of the frame, needs no tiles: the look shows faces half as wide."""

_LOOK_SHORTER_PX = 160
"""Shorter side of a frame that is scaled down for the detector, whose looks have 128 pixels."""


class MediaPipeFaces:
    """A `FaceFinder` with at most four faces per frame."""

    scheme = FaceMesh.scheme
    pose_method = FaceMesh.pose_method

    def __init__(self, bundle: Path | None = None) -> None:
        """Load the models.

        Args:
            bundle: `face_landmarker.task`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        with open_bundle(bundle) as members:
            self._detector = LiteRtNetwork(members.read("face_detector.tflite"))
        self._mesh = FaceMesh(bundle)
        self._anchors = anchor_centres()

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        """Return up to four faces of `frame`, (H, W, 3), the widest first; see `FaceFinder`."""
        faces = None
        if near:
            faces = self._mesh.followed(frame, near) if can_be_followed(near) else self._search_looks(frame, near)
        return self._mesh.faces(frame, self._candidates(frame)) if faces is None else faces

    def _search_looks(self, frame: RgbImage, near: Sequence[FaceObservation]) -> list[FaceObservation] | None:
        """Search the looks alone in which `near` was detected; return None as soon as one of the faces is lost."""
        looks = looks_of(near)
        if looks is None:
            return None
        found = self._candidates(frame, looks)
        if not all(any(shared_fraction(face.box_px, one.box_px) > 0.5 for one in found) for face in near):
            return None
        faces = self._mesh.faces(frame, found)
        return faces if len(faces) >= len(near) else None

    def _candidates(self, frame: RgbImage, looks: Sequence[Square] | None = None) -> list[Candidate]:
        """Return the detections in `looks`, or in as many looks as the full frame needs."""
        small, factor = halved(frame, _LOOK_SHORTER_PX)
        found = self._search(small) if looks is None else merge_candidates(self._detect_complete(small, looks))
        return [replace(one, box_px=one.box_px * factor, eyes_px=one.eyes_px * factor) for one in found]

    def _search(self, frame: RgbImage) -> list[Candidate]:
        height, width = frame.shape[:2]
        found = self._detect(frame, full_image(width, height))
        if max((_width(one.box_px) for one in found), default=0.0) >= _LARGE_FACE * max(width, height):
            return merge_candidates(found)
        # the box of a small face is coarse in the look at the full frame: it is kept only if no tile shows the face
        sharper = self._detect_complete(frame, tiles(width, height))
        return merge_candidates(sharper) or merge_candidates(found)

    def _detect_complete(self, frame: RgbImage, looks: Sequence[Square]) -> list[Candidate]:
        """Return the faces in `looks`, but for those that are cut off by a border inside the frame."""
        height, width = frame.shape[:2]
        return [one for look in looks for one in self._detect(frame, look) if not is_cut_off(one, look, width, height)]

    def _detect(self, frame: RgbImage, square: Square) -> list[Candidate]:
        look = cut_square(frame, square, INPUT_PX).astype(np.float32) / 127.5 - 1.0
        regressions, logits = self._detector(look[None])
        points, scores = decode_faces(regressions[0], logits[0, :, 0], self._anchors, _MIN_ANSWER)
        points_px = points * square.side + (square.x0, square.y0)
        return [
            Candidate(box_px=face_px[:2].ravel(), eyes_px=face_px[2:], score=float(score), look=square)
            for face_px, score in zip(points_px, scores, strict=True)
            if score >= _MIN_SCORE
        ]


MEDIAPIPE_FACES = FaceFinderCard(
    name="mediapipe",
    scheme=MediaPipeFaces.scheme,
    pose_method=MediaPipeFaces.pose_method,
    assets=(BUNDLE,),
    runtime="ai-edge-litert",
    load=lambda _settings: MediaPipeFaces(),
)


def _width(box_px: Float32Array | Float64Array) -> float:
    return float(box_px[2] - box_px[0])
