"""What is measured as the pictures of videos pass, stretch by stretch: faces, features of Inception, errors of pixels.

A meter takes stretches of pictures and keeps numbers alone, so that memory does not grow with the pictures.

Shapes: T ticks, H rows, W columns, D features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foundation.array_types import Float32Array, UInt8Array
from training.evaluation.face_models import FaceModels
from training.evaluation.picture_error import psnr, ssim

if TYPE_CHECKING:
    from models.vae.lpips import Lpips
    from training.evaluation.inception import Inception

__all__ = ["FaceMeter", "InceptionMeter", "LpipsMeter", "PixelMeter"]

_PICTURES_AT_ONCE = 10
"""Pictures given to a network at once; bounds its memory."""

Arrays = Mapping[str, Float32Array]


class FaceMeter:
    """Reads the widest face of every picture."""

    def __init__(self, models: FaceModels) -> None:
        self._read = models.reader()
        self._parts: dict[str, list[Float32Array]] = {part: [] for part in models.shapes}
        self._shapes = models.shapes
        self._n_ticks = 0

    def feed(self, pictures_THW3: UInt8Array) -> None:
        """Measure the next pictures."""
        self._n_ticks += len(pictures_THW3)
        if not self._parts:
            return
        for picture in pictures_THW3:
            faces = self._read(picture)
            for part, rows in self._parts.items():
                rows.append(faces[part])

    def arrays(self) -> Arrays:
        """Return (T, ...) arrays by part, and the number T as (1,) `n_ticks`."""
        parts = {
            part: np.array(rows, np.float32).reshape(len(rows), *self._shapes[part])
            for part, rows in self._parts.items()
        }
        return {**parts, "n_ticks": np.array([self._n_ticks], np.float32)}


@dataclass(eq=False, slots=True)
class InceptionMeter:
    """Computes the features of FID."""

    network: "Inception"
    _features: list[Float32Array]

    def __init__(self, network: "Inception") -> None:
        self.network, self._features = network, []

    def feed(self, pictures_THW3: UInt8Array) -> None:
        """Measure the next pictures."""
        from training.evaluation.inception import inception_features

        for first in range(0, len(pictures_THW3), _PICTURES_AT_ONCE):
            part = pictures_THW3[first : first + _PICTURES_AT_ONCE]
            self._features.append(inception_features(self.network, part))

    def arrays(self) -> Arrays:
        """Return (T, 2048) `features`."""
        return {"features": np.concatenate(self._features)}


class PixelMeter:
    """Computes PSNR and SSIM against the true pictures."""

    def __init__(self) -> None:
        self._psnr: list[Float32Array] = []
        self._ssim: list[Float32Array] = []

    def feed(self, generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> None:
        """Measure the next pictures."""
        self._psnr.append(psnr(generated_THW3, truth_THW3).astype(np.float32))
        self._ssim.append(ssim(generated_THW3, truth_THW3).astype(np.float32))

    def arrays(self) -> Arrays:
        """Return (T,) `psnr` and `ssim`."""
        return {"psnr": np.concatenate(self._psnr), "ssim": np.concatenate(self._ssim)}


class LpipsMeter:
    """Computes LPIPS against the true pictures."""

    def __init__(self, network: "Lpips") -> None:
        self._network = network
        self._distances: list[Float32Array] = []

    def feed(self, generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> None:
        """Measure the next pictures."""
        from training.evaluation.perceptual_distance import lpips

        for first in range(0, len(truth_THW3), _PICTURES_AT_ONCE):
            pair = (one[first : first + _PICTURES_AT_ONCE] for one in (generated_THW3, truth_THW3))
            self._distances.append(lpips(self._network, *pair).astype(np.float32))

    def arrays(self) -> Arrays:
        """Return (T,) `lpips`."""
        return {"lpips": np.concatenate(self._distances)}
