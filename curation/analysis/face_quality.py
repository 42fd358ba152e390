"""Quality of the image of a face: sharpness and brightness; and the opening of the mouth."""

import math

import numpy as np

from foundation.array_types import Float32Array, RgbImage
from manifests.landmarks import KEY_POINT_NAMES

__all__ = ["face_luma", "face_sharpness", "lip_aperture"]

_SIDE_PX = 128

_LIP_TOP, _LIP_BOTTOM = KEY_POINT_NAMES.index("inner_lip_top"), KEY_POINT_NAMES.index("inner_lip_bottom")


def face_sharpness(frame: RgbImage, box_px: Float32Array) -> float:
    """Return the variance of the Laplacian (4 neighbours) of the grey face, brought to 128x128 so that sizes compare.

    An enlarged small face is soft and scores low, as it should.

    Args:
        frame: (H, W, 3) RGB.
        box_px: (4,) x0, y0, x1, y1 in pixels; pixels outside the frame are left out.

    Returns:
        Grey levels squared, 0 for a flat face or above; NaN where no pixel of the box is in the frame.
    """
    import cv2

    crop = _crop(frame, box_px)
    if crop.size == 0:
        return float("nan")
    shrinks = min(crop.shape[:2]) >= _SIDE_PX
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    # grey first: one channel to resize
    face = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (_SIDE_PX, _SIDE_PX), interpolation=method)
    laplacian = cv2.Laplacian(face, cv2.CV_32F, ksize=1)
    return float(laplacian.var())


def face_luma(frame: RgbImage, box_px: Float32Array) -> float:
    """Return the mean brightness of the face, 0 to 255: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Args:
        frame: (H, W, 3) RGB.
        box_px: (4,) x0, y0, x1, y1 in pixels; pixels outside the frame are left out.

    Returns:
        NaN where no pixel of the box is in the frame.
    """
    import cv2

    crop = _crop(frame, box_px)
    if crop.size == 0:
        return float("nan")
    red, green, blue, _ = cv2.mean(crop)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def lip_aperture(key_points_px: Float32Array, box_px: Float32Array) -> float:
    """Return the opening of the mouth, inner lip to inner lip, in face heights.

    Args:
        key_points_px: (9, 2) key points in pixels.
        box_px: (4,) x0, y0, x1, y1 in pixels, y1 > y0.

    >>> points = np.zeros((9, 2), np.float32)
    >>> points[8] = 3.0, 4.0
    >>> lip_aperture(points, np.array([0, 0, 40, 50], np.float32))
    0.1
    """
    gap_px = float(np.linalg.norm(key_points_px[_LIP_TOP] - key_points_px[_LIP_BOTTOM]))
    return gap_px / float(box_px[3] - box_px[1])


def _crop(frame: RgbImage, box_px: Float32Array) -> RgbImage:
    """Return the pixels whose area the box touches; a view, empty where the box is outside."""
    height, width = frame.shape[:2]
    x0, y0 = (max(0, math.floor(value)) for value in box_px[:2])
    x1, y1 = min(width, math.ceil(box_px[2])), min(height, math.ceil(box_px[3]))
    return frame[y0 : max(y0, y1), x0 : max(x0, x1)]
