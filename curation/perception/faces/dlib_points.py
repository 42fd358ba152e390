"""dlib's 68 points of a face: Kazemi and Sullivan's regression trees (`shape_predictor_68_face_landmarks.dat`).

Their training data, iBUG 300-W, exclude commercial use.
"""

from pathlib import Path

import numpy as np

from curation.model_cards import ModelCard
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.weights import asset_path

__all__ = ["DLIB_JITTER", "PREDICTOR", "DlibJitterPoints", "DlibPoints"]

PREDICTOR = "dlib_shape_predictor_68"
"""Name of the regression trees in the asset registry."""

_NOSE_TIP = 30
"""In the scheme `ibug68`."""


class DlibPoints:
    """Finds the points of scheme `ibug68`, given the rectangle in which dlib's detector sees a face."""

    def __init__(self, predictor: Path | None = None) -> None:
        """Load the trees.

        Args:
            predictor: `shape_predictor_68_face_landmarks.dat`; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
        """
        import dlib

        predictor = asset_path(PREDICTOR) if predictor is None else predictor
        self._predictor = dlib.shape_predictor(str(predictor))

    def __call__(self, frame: RgbImage, rectangle_px: Float32Array | Float64Array) -> Float64Array:
        """Return the (68, 2) points in whole pixels; there is always an answer, even where there is no face.

        Args:
            frame: (H, W, 3); what lies beyond it counts as black.
            rectangle_px: (4,) x0, y0, x1, y1 from brows to chin; may reach beyond `frame`.
        """
        import dlib

        # dlib counts from the centre of the first pixel, and its rectangles include their last row and column
        left, top, right, bottom = (round(float(edge)) for edge in rectangle_px)
        shape = self._predictor(frame, dlib.rectangle(left, top, right - 1, bottom - 1))
        return np.array([(part.x, part.y) for part in shape.parts()], np.float64) + 0.5


class DlibJitterPoints:
    """`JitterPoints` of appendix A.1: dlib's nose tip, and the corners of the rectangle around its 68 points."""

    def __init__(self, predictor: Path | None = None) -> None:
        """Load the trees; see `DlibPoints`."""
        self._points = DlibPoints(predictor)

    def __call__(self, frame: RgbImage, box_px: Float32Array) -> Float32Array:
        """Return the (3, 2) points of the face in the rectangle `box_px`, (4,), of dlib's detector."""
        points_px = self._points(frame, box_px)
        chosen: Float32Array = np.stack([points_px[_NOSE_TIP], points_px.min(axis=0), points_px.max(axis=0)]).astype(
            np.float32
        )
        return chosen


DLIB_JITTER = ModelCard(kind="jitter", name="dlib", assets=(PREDICTOR,), runtime="dlib-bin")
