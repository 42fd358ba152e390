"""Face finder with the models of MediaPipe's Face Landmarker: box, 478 points, 52 blendshapes, head pose.

MediaPipe's own pipeline scales the full frame to 128x128 and loses small faces, starts threads and returns no scores.
So its networks (`face_landmarker.task`, Apache-2.0) are run one by one through LiteRT, on one thread: the detector on a
padded look at the frame and, where no face fills much of that, on overlapping tiles; then `face_mesh` finds
landmarks and blendshapes per face. The steps between the networks are those of MediaPipe's face_landmarker_graph in
image mode, and tests compare the results with it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.perception.cards import FaceFinderCard
from curation.perception.faces.blaze_face import INPUT_PX, anchor_centres, decode_faces
from curation.perception.faces.face_landmarker import BUNDLE, open_bundle
from curation.perception.faces.face_mesh import FaceMesh, can_be_followed, looks_of
from curation.perception.faces.search import (
    Candidate,
    are_wide_enough,
    cut_square,
    finer_sides,
    full_image,
    halvings,
    is_cut_off,
    merge_candidates,
    scaled,
    shared_fraction,
    tiles,
    with_others,
)
from curation.perception.protocols import FaceObservation, Square
from curation.perception.runtime.litert import LiteRtNetwork
from curation.perception.settings import LEAST_FACE_PX
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

_SURELY_FOUND_PX = 18.0
"""Width in a look from which the detector finds 97 of 100 real faces; of 12 px it finds 34, of 15 px 89."""

_TILE_PX = 160
"""Least side, in the halving it is cut from, of a finer tile; the look that is made of it has 128 pixels."""


class MediaPipeFaces:
    """A `FaceFinder` with at most four faces per frame."""

    scheme = FaceMesh.scheme
    pose_method = FaceMesh.pose_method

    def __init__(self, bundle: Path | None = None, least_face_px: float = LEAST_FACE_PX) -> None:
        """Load the models.

        Args:
            bundle: `face_landmarker.task`; None takes the one of the asset registry.
            least_face_px: width of the narrowest face that is found in frames of any size, pixels.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        with open_bundle(bundle) as members:
            self._detector = LiteRtNetwork(members.read("face_detector.tflite"))
        self._mesh = FaceMesh(bundle)
        self._least_face_px = least_face_px
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
        halves = list(halvings(frame, _LOOK_SHORTER_PX))
        if looks is None:
            return self._search(halves)
        found = []
        for look in looks:
            number = _halving_of(look.side, halves)
            image, factor = halves[number], 2**number
            square = Square(x0=look.x0 / factor, y0=look.y0 / factor, side=look.side / factor)
            found += [scaled(one, factor) for one in self._detect_complete(image, [square])]
        return merge_candidates(found)

    def _search(self, halves: Sequence[RgbImage]) -> list[Candidate]:
        """Search a frame, given its halvings: in full, in tiles, and in finer tiles until a face is wide enough."""
        small, factor = halves[-1], 2 ** (len(halves) - 1)
        height, width = small.shape[:2]
        found = self._detect(small, full_image(width, height))
        if max((_width(one.box_px) for one in found), default=0.0) >= _LARGE_FACE * max(width, height):
            return [scaled(one, factor) for one in merge_candidates(found)]
        # the box of a small face is coarse in the look at the full frame: it is kept only if no tile shows the face
        largest = tiles(width, height)
        sharper = self._detect_complete(small, largest)
        faces = [scaled(one, factor) for one in merge_candidates(sharper) or merge_candidates(found)]
        for side in finer_sides(largest[0].side * factor, self._least_face_px * INPUT_PX / _SURELY_FOUND_PX):
            if are_wide_enough(faces, self._least_face_px):
                break
            number = _halving_of(side, halves)
            image, factor = halves[number], 2**number
            squares = tiles(image.shape[1], image.shape[0], side / factor)
            finer = [scaled(one, factor) for one in merge_candidates(self._detect_complete(image, squares))]
            faces = with_others(finer, faces)
        return faces

    def _detect_complete(self, frame: RgbImage, looks: Sequence[Square]) -> list[Candidate]:
        """Return the faces in `looks`, but for those that are cut off by a border inside the frame."""
        height, width = frame.shape[:2]
        return [one for look in looks for one in self._detect(frame, look) if not is_cut_off(one, look, width, height)]

    def _detect(self, frame: RgbImage, square: Square) -> list[Candidate]:
        look = cut_square(frame, square, INPUT_PX)
        levels = self._detector.input()[0]
        np.divide(look, np.float32(127.5), out=levels, dtype=np.float32)
        levels -= np.float32(1.0)
        del levels  # the network runs while nothing refers to its input
        regressions, logits = self._detector.run()
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
    # on 217 faces of real videos: 1.08 to 1.20 and -0.09 to -0.03 in 80 % of them, against SCRFD's boxes
    head_box=(1.13, -0.066),
    assets=(BUNDLE,),
    runtime="ai-edge-litert",
    load=lambda settings: MediaPipeFaces(least_face_px=settings.least_face_px),
)


def _halving_of(side: float, halves: Sequence[RgbImage]) -> int:
    """Return the number of the halving that a look is cut from, given its side in pixels of the frame.

    The coarsest for the look at the full frame and the largest tiles, else the coarsest in which it is sharp enough.
    """
    coarsest = len(halves) - 1
    height, width = halves[-1].shape[:2]
    if side >= 0.99 * tiles(width, height)[0].side * 2**coarsest:
        return coarsest
    return min(coarsest, max(0, int(np.log2(side / _TILE_PX))))


def _width(box_px: Float32Array | Float64Array) -> float:
    return float(box_px[2] - box_px[0])
