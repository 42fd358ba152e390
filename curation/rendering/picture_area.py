"""The picture within a frame that was filled up with a blurred enlargement of it, as upright video often is."""

from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float32Array, Float64Array, RgbImage

__all__ = ["PictureArea", "picture_area"]

_LEAST_SHARE, _MOST_SHARE = 0.05, 0.46
"""Width of one of the two bands over that of the frame."""

_SIGNS = ((10.0, 0.8), (4.0, 0.4))
"""Pairs of which one is enough: the least step of grey across both borders over the largest one near them, and the
largest curvature of grey in the bands over that of the picture. Ours: a filled frame has 28 and 0.6, or 4.4 and 0.2
where the picture itself is full of detail; of 192 real videos, one has 7 and 0.98, the others less of a step."""

_LEAST_DEVIATION = 5.0
"""Least standard deviation of the bands, levels of grey: bars of one colour have less, and remain as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureArea:
    """Columns ``[x0, x1)`` and rows ``[y0, y1)`` of a frame."""

    x0_px: int
    y0_px: int
    x1_px: int
    y1_px: int


def picture_area(frame: RgbImage) -> PictureArea:
    """Return the part of a frame between two blurred bands of equal width; without such bands, all of it.

    Both borders are straight lines through the whole frame, much stronger than anything near them, and what lies
    outside is softer than what lies between.

    Args:
        frame: (H, W, 3).
    """
    import cv2

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    height, width = grey.shape
    if band := _band_px(grey):
        return PictureArea(x0_px=band, y0_px=0, x1_px=width - band, y1_px=height)
    band = _band_px(grey.T)
    return PictureArea(x0_px=0, y0_px=band, x1_px=width, y1_px=height - band)


def _band_px(grey: Float32Array) -> int:
    """Return the width of the bands left and right, 0 where there are none."""
    width = grey.shape[1]
    step: Float64Array = np.zeros(width)
    step[1:] = np.abs(np.diff(grey, axis=1)).mean(axis=0)
    curvature = np.zeros(width)
    curvature[1:-1] = np.abs(np.diff(grey, 2, axis=1)).mean(axis=0)
    for band in range(max(12, round(_LEAST_SHARE * width)), round(_MOST_SHARE * width)):
        # an odd rest of the width, or chroma of half the size, moves a border by a pixel
        contrast = min(_contrast(step, band), _contrast(step, width - band))
        if contrast < min(least for least, _ in _SIGNS):
            continue
        left, right = grey[:, : band - 2], grey[:, width - band + 2 :]
        inside = float(np.median(curvature[band + 3 : width - band - 3]))
        outside = np.concatenate([curvature[2 : band - 3], curvature[width - band + 3 : width - 2]])
        softness = float(np.quantile(outside, 0.9)) / max(inside, 1e-6)
        filled = any(contrast >= least and softness <= most for least, most in _SIGNS)
        if filled and min(left.std(), right.std()) >= _LEAST_DEVIATION:
            return band - 1 + int(np.argmax(step[band - 1 : band + 2]))
    return 0


def _contrast(step: Float64Array, column: int) -> float:
    """Return the step at `column`, or next to it, over the largest one nearby."""
    near = max(step[column - 9 : column - 2].max(), step[column + 3 : column + 10].max())
    return float(step[column - 1 : column + 2].max() / max(near, 1e-6))
