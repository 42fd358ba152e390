"""Average keypoint distance of single pictures, with the landmark model that curated the data."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import CannotStartError, GaiaError
from manifests.landmarks import landmark_scheme
from manifests.record import read_dataset
from training.evaluation.face_models import FaceModels, load_face_models
from training.evaluation.landmark_distance import average_keypoint_distance

__all__ = ["KeypointCheck", "NoLandmarkModelError", "keypoint_check"]

_SHOWN_PX = 256
"""Width of the pictures in which landmarks are sought; detectors hardly find a face in pictures of 64 pixels."""


class NoLandmarkModelError(CannotStartError):
    """The landmark model that curated a dataset is not on this machine; the message says what is missing."""


class KeypointCheck:
    """Landmarks of pictures, and distances between those of two."""

    def __init__(self, models: FaceModels) -> None:
        self._models, self._scheme = models, landmark_scheme(models.scheme)

    def landmarks(self, image: RgbImage) -> Float32Array:
        """Return the (K, 2) landmarks of the widest face in a square image, pixels of one 256 pixels wide.

        All of them are NaN where there is no face. A smaller image is enlarged first, linearly.
        """
        if image.shape[1] < _SHOWN_PX:
            enlarged = functional.interpolate(
                torch.from_numpy(image).permute(2, 0, 1)[None].float(), (_SHOWN_PX, _SHOWN_PX), mode="bilinear"
            )
            image = enlarged[0].round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        points_K2 = self._models.reader()(image)["landmarks"]
        return np.asarray(points_K2 * np.float32(_SHOWN_PX / image.shape[1]), np.float32)

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
    try:
        models = load_face_models(name, ("landmarks",))
    except GaiaError as error:
        raise NoLandmarkModelError(f"the landmark model {name!r} cannot be loaded: {error}") from error
    if "landmarks" in models.unavailable:
        raise NoLandmarkModelError(f"the landmark model {name!r} is missing: {models.unavailable['landmarks']}")
    if models.scheme != scheme:
        raise NoLandmarkModelError(
            f"the landmark model {name!r} finds landmarks {models.scheme!r}, and the clips have {scheme!r}"
        )
    return KeypointCheck(models)
