"""How far the landmarks outside mouth and jaw are from those of the video that they were taken from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from curation.perception.protocols import FaceFinder, FaceObservation
from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import LandmarkScheme

__all__ = ["EditAgreement", "EditedLandmarks", "watched_landmarks"]

_CLIP_PX = 256
"""Width of the pictures in whose pixels distances are told: that of clips. Smaller frames are enlarged to it before a
face is sought."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EditAgreement:
    """Landmarks given and those that came out, T frames of K points, in pixels of a crop of 256."""

    given_px: Float32Array
    """(T, K, 2) of the video."""
    sampled_px: Float32Array
    """(T, K, 2) that the network sampled."""
    measured_px: Float32Array
    """(T, K, 2) found in the generated frames; NaN where no face was found."""
    scheme: LandmarkScheme
    """Numbering of the points."""

    @property
    def sampled_error_px(self) -> float:
        """Mean distance outside mouth and jaw of the sampled landmarks from those of the video."""
        return float(self._distances(self.sampled_px).mean())

    @property
    def n_measured(self) -> int:
        """Number of frames in which a face was found."""
        return int(np.isfinite(self.measured_px[:, 0, 0]).sum())

    @property
    def measured_error_px(self) -> float | None:
        """The same of the landmarks of the frames; None if no face was found in any."""
        return float(np.nanmean(self._distances(self.measured_px))) if self.n_measured else None

    def _distances(self, landmarks_px: Float32Array) -> Float32Array:
        held = np.ones(self.scheme.n_points, np.bool_)
        held[list(self.scheme.mouth_and_jaw)] = False
        distances: Float32Array = np.linalg.norm((landmarks_px - self.given_px)[:, held], axis=2)
        return distances

    def __str__(self) -> str:
        """Return the figures for people."""
        error_px = self.measured_error_px
        seen = f" (a face was found in {self.n_measured} of {len(self.given_px)} frames)"
        of_frames = (
            "not measured in the frames, for no face was found in them"
            if error_px is None
            else f"{error_px:.2f} px in the frames{'' if self.n_measured == len(self.given_px) else seen}"
        )
        return (
            f"landmarks outside mouth and jaw are on average {self.sampled_error_px:.2f} px from those of the video as "
            f"sampled, and {of_frames}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class EditedLandmarks:
    """Landmarks of which those outside mouth and jaw are a video's, T frames of K points."""

    given_px: Float32Array
    """(T, K, 2) of the video, pixels of the networks' crop."""
    sampled_px: Float32Array
    """(T, K, 2) with mouth and jaw by speech, likewise."""

    def agreement(self, size_px: int, scheme: LandmarkScheme, measured_px: Float32Array) -> EditAgreement:
        """Return how they compare with each other, and with landmarks that were found in the frames.

        Args:
            size_px: width of the networks' crop.
            scheme: of the landmarks.
            measured_px: (T, K, 2) of `watched_landmarks`.
        """
        scale = np.float32(_CLIP_PX / size_px)
        return EditAgreement(
            given_px=self.given_px * scale,
            sampled_px=self.sampled_px * scale,
            measured_px=measured_px,
            scheme=scheme,
        )


def watched_landmarks(
    frames: Iterable[RgbImage], finder: FaceFinder, n_points: int, measured_px: list[Float32Array]
) -> Iterator[RgbImage]:
    """Yield (S, S, 3) frames of a video and add the (K, 2) landmarks of each to `measured_px`: NaN without a face."""
    import cv2

    found: list[FaceObservation] = []
    for frame in frames:
        seen = frame
        if len(frame) < _CLIP_PX:
            enlarged = cv2.resize(frame, (_CLIP_PX, _CLIP_PX), interpolation=cv2.INTER_CUBIC)
            seen = np.asarray(enlarged, np.uint8)
        found = list(finder(seen, found or None))
        scale = np.float32(_CLIP_PX / len(seen))
        measured_px.append(found[0].landmarks_px * scale if found else np.full((n_points, 2), np.nan, np.float32))
        yield frame
