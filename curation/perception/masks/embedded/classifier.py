"""Mask classifier of the preset `embedded`, with weights in this package."""

import hashlib
from importlib import resources
from pathlib import Path

import numpy as np

from curation.perception.cards import MaskCard
from curation.perception.masks.embedded.alignment import align_faces
from foundation.array_types import Float32Array, RgbImage
from manifests.record import WeightRecord

__all__ = ["EMBEDDED_MASK", "WEIGHTS_SHA256", "EmbeddedMask"]

WEIGHTS_SHA256 = "d00c31eb4b3228b4b4ef04c0aaca7c6a463bfea732f245b2b3a99736421b8b70"
"""Of `mask.onnx`; `python -m curation.perception.masks.embedded.teaching.train` prints a new one."""


class EmbeddedMask:
    """A `MaskClassifier`: estimates whether a mask, or anything else, covers the mouth.

    `docs/explanation/mask_model_card.md` states its training data, its accuracy and its failures.
    """

    def __init__(self, model: Path | None = None) -> None:
        """Load the weights.

        Args:
            model: another network that `teaching.train` wrote; None takes the one of the package.

        Raises:
            ValueError: the weights in the package are not those that this version was tested with.
        """
        import onnxruntime

        weights = _package_weights() if model is None else model.read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
        """Return the probability that something covers the mouth, for every face.

        Args:
            frame: (H, W, 3) image.
            key_points_px: (F, 9, 2) in the order of `manifests.landmarks.KEY_POINT_NAMES`, source pixels.
            boxes_px: (F, 4) x0, y0, x1, y1 around all landmarks, source pixels.

        Returns:
            (F,) probabilities; empty for no face.

        Raises:
            ValueError: a shape is another one, or a coordinate is not finite.
        """
        faces = align_faces(frame, key_points_px, boxes_px)
        if not len(faces):
            return np.empty(0, np.float32)
        return self.score_aligned(faces)

    def score_aligned(self, faces: RgbImage) -> Float32Array:
        """Return the (F,) probabilities for (F, 64, 64, 3) faces from `alignment.align_faces`, F at least 1."""
        images = np.ascontiguousarray(faces.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - np.float32(1)
        return np.asarray(self._session.run(["mask_prob"], {"faces": images})[0], np.float32)[:, 0]


def _package_weights() -> bytes:
    weights = resources.files(__package__).joinpath("mask.onnx").read_bytes()
    found = hashlib.sha256(weights).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(
            f"mask.onnx in {__package__} has sha256 {found}, expected {WEIGHTS_SHA256}; reinstall the package"
        )
    return weights


_WEIGHTS = WeightRecord(
    name="embedded_mask", role="perception", sha256=WEIGHTS_SHA256, licence="Apache-2.0", commercial_use=True
)

EMBEDDED_MASK = MaskCard(
    name="embedded",
    runtime="onnxruntime",
    weights=lambda _settings: [_WEIGHTS],
    load=lambda _settings: EmbeddedMask(),
)
