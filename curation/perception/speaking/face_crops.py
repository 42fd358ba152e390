"""Faces as LR-ASD sees them: 112 x 112 grey pixels of the lower face, cut with a box that does not tremble.

The steps are those of the original's preparation of videos (github.com/Junhua-Liao/LR-ASD, MIT): boxes smoothed over 13
ticks, a square with room of 0.4 half boxes on either side, 224 pixels wide, and of these the inner 112. So the crop is
0.7 longer sides of the box wide, and its centre lies 0.2 of them below that of the box. The original's boxes are those
of a detector trained on WIDER FACE; those of other finders are made like them first, without which 9 instead of 3 % of
the ticks of speakers are missed (benchmarks/results/2026-11-who-speaks.md).
"""

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, Float64Array, RgbImage

__all__ = ["crop_squares", "cut_grey_face"]

_SMOOTH_TICKS = 13

_ROOM = 0.4
"""Beside the box, over half its longer side; twice as much below it, none above."""

_SQUARE_PX, _FACE_PX = 224, 112

_BEYOND_GREY = 110
"""Grey beyond the borders of the frame."""


def crop_squares(boxes_px: Float32Array, head_box: tuple[float, float]) -> Float64Array:
    """Return (T, 3) centre x, centre y and longer side of the box of a head, smoothed, for T adjacent ticks.

    Each is the median over 13 ticks; before the first and after the last, the box stays as it is there.

    Args:
        boxes_px: (T, 4) x0, y0, x1, y1, source pixels, of one face; NaN on ticks on which it was not found, where the
            box moves evenly from the one before to the one after.
        head_box: how these boxes become those of heads; see `FaceFinderCard.head_box`.

    Raises:
        ValueError: there is no box at all.
    """
    from scipy.ndimage import median_filter

    found = np.flatnonzero(np.isfinite(boxes_px).all(axis=1))
    if not len(found):
        raise ValueError(f"none of {len(boxes_px)} boxes is there; give the ticks of a face that was found")
    ticks = np.arange(len(boxes_px))
    x0, y0, x1, y1 = (np.interp(ticks, found, boxes_px[found, edge].astype(np.float64)) for edge in range(4))
    longer, (side, down) = np.maximum(x1 - x0, y1 - y0), head_box
    squares = np.stack([(x0 + x1) / 2, (y0 + y1) / 2 + down * longer, side * longer], axis=1)
    smooth: Float64Array = median_filter(squares, size=(_SMOOTH_TICKS, 1), mode="nearest")
    return smooth


def cut_grey_face(frame: RgbImage, square: Float64Array) -> npt.NDArray[np.uint8]:
    """Return the (112, 112) grey crop of a face.

    Args:
        frame: (H, W, 3) image.
        square: (3,) a row of `crop_squares`.

    Raises:
        ValueError: the box has no area.
    """
    import cv2

    x, y, side = (float(number) for number in square)
    half = side / 2
    reach = half * (1 + _ROOM)
    # the original shifts by this margin before it cuts to whole pixels
    margin = int(half * (1 + 2 * _ROOM))
    left, right = int(x + margin - reach) - margin, int(x + margin + reach) - margin
    top, bottom = int(y + margin - half) - margin, int(y + margin + half * (1 + 2 * _ROOM)) - margin
    if right <= left or bottom <= top:
        raise ValueError(f"a face of {side:g} pixels cannot be cut; give the box of a face in source pixels")
    look = _cut(frame, left, top, right, bottom)
    grey = cv2.cvtColor(cv2.resize(look, (_SQUARE_PX, _SQUARE_PX), interpolation=cv2.INTER_LINEAR), cv2.COLOR_RGB2GRAY)
    inner = slice((_SQUARE_PX - _FACE_PX) // 2, (_SQUARE_PX + _FACE_PX) // 2)
    return np.ascontiguousarray(grey[inner, inner], np.uint8)


def _cut(frame: RgbImage, left: int, top: int, right: int, bottom: int) -> RgbImage:
    """Return the rectangle, grey where it reaches beyond the frame; a view of the frame where it does not."""
    height, width = frame.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return frame[top:bottom, left:right]
    look = np.full((bottom - top, right - left, 3), _BEYOND_GREY, np.uint8)
    columns, rows = np.clip([left, right], 0, width), np.clip([top, bottom], 0, height)
    inside = frame[rows[0] : rows[1], columns[0] : columns[1]]
    look[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left] = inside
    return look
