"""Head poses in batches: crops are taken while a frame is at hand, the network sees many of them at once."""

import numpy as np

from curation.perception.protocols import HeadPose, JitterPoints
from foundation.array_types import Float32Array, RgbImage

__all__ = ["JitterBatches", "PoseBatches"]

_POSE_BATCH = 16
"""Faces that are kept, with their pictures, until the points of all are sought. dlib's trees are 100 MB, of which faces
in a row read the same 4: one by one, between other models, a face takes 2.2 ms, eight of them 1.75 each, sixteen 1.6.
Sixteen pictures of 1920x1080 are 100 MB."""

_POSE_BATCH = 16
"""Crops per run of the network, which costs less per face than one at a time; with 32, what the network keeps of them
no longer fits into a core's cache: 1.15 ms a face in place of 1.07."""


class PoseBatches:
    """Gathers the poses of all faces of a stretch of pictures."""

    def __init__(self, head_pose: HeadPose) -> None:
        self._head_pose = head_pose
        self._crops: list[RgbImage] = []
        self._poses_deg: list[Float32Array] = []

    def add(self, frame: RgbImage, boxes_px: Float32Array) -> None:
        """Take the faces of a picture, (H, W, 3) and (F, 4)."""
        self._crops += list(self._head_pose.crop(frame, boxes_px))
        while len(self._crops) >= _POSE_BATCH:
            self._run(_POSE_BATCH)

    def finish(self) -> Float32Array:
        """Return the (N, 3) pitch, yaw and roll of all faces, in the order in which they came."""
        if self._crops:
            self._run(len(self._crops))
        return np.concatenate([np.zeros((0, 3), np.float32), *self._poses_deg])

    def _run(self, n: int) -> None:
        self._poses_deg.append(self._head_pose(np.stack(self._crops[:n])))
        self._crops = self._crops[n:]


class JitterBatches:
    """Gathers the points of all faces of a stretch of pictures."""

    def __init__(self, points: JitterPoints) -> None:
        self._points = points
        self._waiting: list[tuple[RgbImage, Float32Array]] = []
        self._found_px: list[Float32Array] = []

    def add(self, frame: RgbImage, box_px: Float32Array) -> None:
        """Take a face: its picture, (H, W, 3), which must not change afterwards, and its `jitter_box_px`, (4,)."""
        self._waiting.append((frame, box_px))
        if len(self._waiting) == _POSE_BATCH:
            self._run()

    def finish(self) -> Float32Array:
        """Return the (N, 3, 2) points of all faces, in the order in which they came."""
        self._run()
        return np.array(self._found_px, np.float32).reshape(-1, 3, 2)

    def _run(self) -> None:
        self._found_px += [self._points(frame, box_px) for frame, box_px in self._waiting]
        self._waiting = []
