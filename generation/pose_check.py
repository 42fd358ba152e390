"""Measure the head poses of generated frames by curation's own model, and compare them with those asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from curation.perception.protocols import FaceFinder, FaceObservation, HeadPose
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.text import count_text
from generation.pose_expression import ANGLES

__all__ = ["HeadMeter", "PoseAgreement"]

_LOOKED_AT_PX = 256
"""Smaller frames are enlarged to this width before a face is sought: that of clips."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseAgreement:
    """Head poses asked for and measured, N frames."""

    asked_deg: Float32Array
    """(N, 3) pitch, yaw, roll."""
    measured_deg: Float32Array
    """(N, 3) likewise, of the generated frames; NaN where no face was found."""

    @property
    def n_measured(self) -> int:
        """Number of frames in which a face was found."""
        return int(np.isfinite(self.measured_deg[:, 0]).sum())

    @property
    def mean_error_deg(self) -> Float64Array | None:
        """(3,) mean absolute differences of pitch, yaw and roll over measured frames; None if there are none."""
        if not self.n_measured:
            return None
        errors_deg = np.abs(self.measured_deg - self.asked_deg).astype(np.float64)
        return np.asarray(np.nanmean(errors_deg, axis=0))

    def __str__(self) -> str:
        """Return the figures for people."""
        errors_deg = self.mean_error_deg
        if errors_deg is None:
            return "head pose not measured, for no face was found in the frames"
        each = ", ".join(f"{angle} {error:.1f}" for angle, error in zip(ANGLES, errors_deg, strict=True))
        seen = f" (a face was found in {self.n_measured} of {count_text(len(self.asked_deg), 'frame')})"
        return (
            f"head pose {errors_deg.mean():.1f} degrees from the one asked for, on average: {each}"
            f"{'' if self.n_measured == len(self.asked_deg) else seen}"
        )


@dataclass(kw_only=True)
class HeadMeter:
    """Measures heads as curation measured those of the training data."""

    finder: FaceFinder
    poses: HeadPose | None
    """None: the pose is the face finder's."""
    _found: list[FaceObservation] = field(default_factory=list, init=False)
    """Faces of the frame before."""

    def of_face(self, image: RgbImage, face: FaceObservation) -> Float32Array:
        """Return (3,) pitch, yaw and roll of a face of an image, degrees."""
        if self.poses is None:
            return face.pose_deg
        poses_deg = self.poses(self.poses.crop(image, face.box_px[None]))
        return np.asarray(poses_deg[0], np.float32)

    def of_frame(self, frame: RgbImage) -> Float32Array:
        """Return (3,) pitch, yaw and roll of the widest face of a (S, S, 3) frame of a video; NaN without a face."""
        import cv2

        if len(frame) < _LOOKED_AT_PX:
            enlarged = cv2.resize(frame, (_LOOKED_AT_PX, _LOOKED_AT_PX), interpolation=cv2.INTER_CUBIC)
            frame = np.asarray(enlarged, np.uint8)
        self._found = self.finder(frame, self._found or None)
        return self.of_face(frame, self._found[0]) if self._found else np.full(len(ANGLES), np.nan, np.float32)

    def watched(self, frames: Iterable[RgbImage], measured_deg: list[Float32Array]) -> Iterator[RgbImage]:
        """Yield the frames of a video and add the pose of each to `measured_deg`."""
        self._found = []
        for frame in frames:
            measured_deg.append(self.of_frame(frame))
            yield frame
