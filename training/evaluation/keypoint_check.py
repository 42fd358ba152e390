"""Average keypoint distance of single pictures, with the landmark model that curated the data.

Landmark models belong to curation, which this package does not import. Whoever has them offers them as an entry point
of the group `gaia_avatar.landmarks`: a function that takes the name of a face finder, a value of the setting
`perception.faces`, and returns a `LandmarkFinder`. The package gaia-avatar offers those of curation.
"""

import importlib.metadata
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import CannotStartError, GaiaError
from manifests.landmarks import landmark_scheme
from manifests.record import read_dataset
from training.evaluation.landmark_distance import average_keypoint_distance

__all__ = ["KeypointCheck", "LandmarkFinder", "NoLandmarkModelError", "keypoint_check"]

_ENTRY_POINTS = "gaia_avatar.landmarks"

_SHOWN_PX = 256
"""Width of the pictures in which landmarks are sought; detectors hardly find a face in pictures of 64 pixels."""


class NoLandmarkModelError(CannotStartError):
    """The landmark model that curated a dataset is not on this machine; the message says what is missing."""


class LandmarkFinder(Protocol):
    """A landmark model."""

    @property
    def scheme(self) -> str:
        """Name of its landmark scheme."""
        ...

    def __call__(self, picture: RgbImage) -> Float32Array | None:
        """Return the (K, 2) landmarks of the widest face in a picture, pixels; None where there is no face."""
        ...


class KeypointCheck:
    """Landmarks of pictures, and distances between those of two."""

    def __init__(self, finder: LandmarkFinder) -> None:
        self._finder, self._scheme = finder, landmark_scheme(finder.scheme)

    def landmarks(self, image: RgbImage) -> Float32Array:
        """Return the (K, 2) landmarks of the widest face in a square image, pixels of one 256 pixels wide.

        All of them are NaN where there is no face. A smaller image is enlarged first, linearly.
        """
        if image.shape[1] < _SHOWN_PX:
            enlarged = functional.interpolate(
                torch.from_numpy(image).permute(2, 0, 1)[None].float(), (_SHOWN_PX, _SHOWN_PX), mode="bilinear"
            )
            image = enlarged[0].round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        points_K2 = self._finder(image)
        if points_K2 is None:
            return np.full((self._scheme.n_points, 2), np.nan, np.float32)
        return (points_K2 * np.float32(_SHOWN_PX / image.shape[1])).astype(np.float32)

    def distance(self, made_K2: Float32Array, true_K2: Float32Array) -> float | None:
        """Return the average keypoint distance, pixels of a picture 256 pixels wide; None where a face is missing."""
        return average_keypoint_distance(made_K2[None], true_K2[None], self._scheme, width_px=_SHOWN_PX).mean


def keypoint_check(dataset: Path, scheme: str) -> KeypointCheck:
    """Return the check with the landmark model of a dataset's record.

    Args:
        dataset: folder or address.
        scheme: landmark scheme of its clips.

    Raises:
        NoLandmarkModelError: the model, its weights or a package are not there, or it has another scheme.
        DatasetError: `dataset` is none.
    """
    config = read_dataset(dataset).config
    perception = config.get("perception") if isinstance(config, dict) else None
    name = perception.get("faces") if isinstance(perception, dict) else None
    if not isinstance(name, str):
        raise NoLandmarkModelError(f"{dataset} does not say which model found its landmarks")
    offered = list(importlib.metadata.entry_points(group=_ENTRY_POINTS))
    if not offered:
        raise NoLandmarkModelError(f"no installed package offers the landmark model {name!r}; install gaia-avatar anew")
    try:
        finder: LandmarkFinder = offered[0].load()(name)
    except ImportError as error:
        raise NoLandmarkModelError(f"the landmark model {name!r} needs the package {error.name}: {error}") from error
    except GaiaError as error:
        raise NoLandmarkModelError(f"the landmark model {name!r} cannot be loaded: {error}") from error
    if finder.scheme != scheme:
        raise NoLandmarkModelError(
            f"the landmark model {name!r} finds landmarks {finder.scheme!r}, and the clips have {scheme!r}"
        )
    return KeypointCheck(finder)
