"""Identity descriptor of dlib: 128 numbers (dlib_face_recognition_resnet_model_v1.dat, CC0-1.0).

Two images of one person are nearer than 0.6 (Euclidean), by the model's author; it was trained on faces aligned by
dlib's five points, which the nine key points give. dlib cuts the face out; the network runs on onnxruntime.
"""

from pathlib import Path

import numpy as np

from curation.perception.cards import IdentityCard
from curation.perception.identity.dlib_network import DlibNetwork
from curation.perception.identity.dlib_weights import INPUT_PX
from foundation.array_types import Float32Array, RgbImage
from foundation.weights import asset_path
from manifests.landmarks import KEY_POINT_NAMES

__all__ = ["DLIB_IDENTITY", "DlibIdentity"]

_NETWORK = "dlib_face_recognition_resnet"
"""Its name in the asset registry."""

_FIVE_POINTS = ("left_eye_outer", "left_eye_inner", "right_eye_outer", "right_eye_inner")
"""The first four of dlib's five points; its fifth is the base of the nose, between nose tip and upper lip."""

_NOSE_BASE = 0.45
"""Position of the base of the nose between the nose tip, 0, and the inner upper lip, 1."""

_CHIP_PADDING = 0.25
"""Border around the aligned face over its side, as in the training of the network."""


class DlibIdentity:
    """A `FaceDescriber` around dlib's residual network."""

    dim = 128

    def __init__(self, network: Path | None = None) -> None:
        """Load the network.

        Args:
            network: `dlib_face_recognition_resnet_model_v1.dat`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
            ValueError: it is damaged or another file.
        """
        network = asset_path(_NETWORK) if network is None else network
        self._network = DlibNetwork(network)

    def __call__(self, frame: RgbImage, key_points_px: Float32Array) -> Float32Array:
        """Return the (128,) descriptor of the face with these (9, 2) key points."""
        import dlib

        points = five_points(key_points_px)
        parts = [dlib.point(round(float(x)), round(float(y))) for x, y in points - 0.5]
        low, high = points.min(axis=0), points.max(axis=0)
        rectangle = dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        shape = dlib.full_object_detection(rectangle, parts)
        chip = dlib.get_face_chip(np.ascontiguousarray(frame), shape, size=INPUT_PX, padding=_CHIP_PADDING)
        return self._network(chip)


DLIB_IDENTITY = IdentityCard(
    name="dlib",
    dim=DlibIdentity.dim,
    same_person_distance="max_descriptor_distance",
    assets=(_NETWORK,),
    runtime="onnxruntime",
    packages=("dlib-bin", "onnx"),
    load=lambda _settings: DlibIdentity(),
)


def five_points(key_points_px: Float32Array) -> Float32Array:
    """Return dlib's (5, 2) points: outer and inner corner of the left eye, of the right eye, base of the nose."""
    point = dict(zip(KEY_POINT_NAMES, key_points_px, strict=True))
    base = point["nose_tip"] + _NOSE_BASE * (point["inner_lip_top"] - point["nose_tip"])
    return np.stack([*(point[name] for name in _FIVE_POINTS), base]).astype(np.float32)
