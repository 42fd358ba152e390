"""The points that jitter is judged by, of several pictures in a row."""

import numpy as np

from curation.perception.protocols import JitterPoints
from manifests.arrays import Float32Array, RgbImage

__all__ = ["JitterBatches"]

_BATCH = 16
"""Faces that are kept, with their pictures, until the points of all are sought. dlib's trees are 100 MB, of which faces
in a row read the same 4: one by one, between other models, a face takes 2.2 ms, eight of them 1.75 each, sixteen 1.6.
Sixteen pictures of 1920x1080 are 100 MB."""


class JitterBatches:
    """Gathers the points of all faces of a stretch of pictures."""

    def __init__(self, points: JitterPoints) -> None:
        self._points = points
        self._waiting: list[tuple[RgbImage, Float32Array]] = []
        self._found_px: list[Float32Array] = []

    def add(self, frame: RgbImage, box_px: Float32Array) -> None:
        """Take a face: its picture, (H, W, 3), which must not change afterwards, and its `jitter_box_px`, (4,)."""
        self._waiting.append((frame, box_px))
        if len(self._waiting) == _BATCH:
            self._run()

    def finish(self) -> Float32Array:
        """Return the (N, 3, 2) points of all faces, in the order in which they came."""
        self._run()
        return np.array(self._found_px, np.float32).reshape(-1, 3, 2)

    def _run(self) -> None:
        self._found_px += [self._points(frame, box_px) for frame, box_px in self._waiting]
        self._waiting = []
