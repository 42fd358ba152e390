"""Published mask detector, whose answers `evaluate` compares with those of the network."""

from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array, RgbImage

__all__ = ["ReferenceDetector"]


class ReferenceDetector:
    """AIZOOTech's FaceMaskDetection (SSD, 260x260; MIT licence, github.com/AIZOOTech/FaceMaskDetection) as ONNX."""

    def __init__(self, model: Path) -> None:
        """Load `model`, a `face_mask_detection.onnx`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def __call__(self, image: RgbImage, box_px: Float32Array) -> float:
        """Return the probability of a mask: the score of that class at the anchor with the highest score.

        The detector reads the square of 1.8 box sides around the (4,) box, at 260x260, as it does in its own demo.
        """
        import cv2

        side = 1.8 * float(max(box_px[2:] - box_px[:2]))
        scale = 260 / side
        centre = (box_px[:2] + box_px[2:]) / 2
        matrix = np.array([[scale, 0, 130 - scale * centre[0]], [0, scale, 130 - scale * centre[1]]])
        square = cv2.warpAffine(image, matrix, (260, 260), borderMode=cv2.BORDER_REPLICATE)
        batch = (np.asarray(square, np.float32) / 255).transpose(2, 0, 1)[None]
        scores = np.asarray(self._session.run(["scores"], {"image": batch})[0])[0]
        return float(scores[scores.max(axis=1).argmax(), 0])
