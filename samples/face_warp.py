"""Movements of the head as pure functions on the canvas: mouth, eyelids, a mask, and the turn to the side."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from portrait import CANVAS_HW, FACE_XY, SCALE, to_canvas

__all__ = ["blinked", "masked", "spoken", "turn_map"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_LOWER_LIP = (
    (203.9, 139.7), (206.9, 142.9), (209.5, 145.1), (213.2, 147.1), (217.6, 148.4), (223.0, 149.2), (228.3, 148.9),
    (233.0, 147.7), (236.7, 146.0), (239.5, 144.0), (242.9, 141.1),
)  # fmt: skip
_UPPER_LIP = (
    (203.9, 139.7), (206.4, 140.1), (209.4, 140.7), (213.1, 141.4), (217.7, 142.4), (223.3, 143.2), (229.0, 142.8),
    (233.7, 142.2), (237.4, 141.7), (240.4, 141.4), (242.9, 141.1),
)  # fmt: skip
_UPPER_LIDS = (
    ((195.3, 100.6), (197.2, 99.1), (199.2, 98.2), (202.6, 97.8), (206.1, 98.4), (209.7, 100.1), (213.6, 103.6)),
    ((236.4, 104.9), (237.8, 103.6), (240.6, 101.7), (244.3, 100.3), (248.1, 100.2), (251.4, 101.0), (255.3, 103.8)),
)
_LOWER_LIDS = (
    ((195.3, 100.6), (198.3, 102.9), (200.7, 103.7), (204.2, 104.2), (207.6, 104.0), (210.8, 103.8), (213.6, 103.6)),
    ((236.4, 104.9), (239.2, 105.4), (242.3, 106.0), (245.9, 106.5), (249.4, 106.4), (252.0, 105.8), (255.3, 103.8)),
)
_MASK_OUTLINE = (
    (224.6, 113.0), (234.0, 116.0), (247.0, 124.0), (267.0, 128.0), (266.5, 146.0), (259.0, 158.0), (247.0, 171.0),
    (234.0, 179.5), (221.4, 181.5), (208.0, 178.5), (196.0, 168.0), (186.0, 155.0), (181.5, 144.0), (182.0, 126.0),
    (201.0, 121.0), (215.0, 115.0),
)  # fmt: skip
"""Contours in the photograph, px: those of lips and lids were found once with MediaPipe's Face Landmarker."""

_MOUTH_XY = (380.0, 293.0)
_MOUTH_BOX = (250, 235, 510, 400)
"""x0, y0, x1, y1 of the part of the canvas that speaking changes."""
_MOUTH_TOP, _MOUTH_BOTTOM = np.array([58.0, 24.0, 24.0]), np.array([60.0, 18.0, 18.0])
"""Colour inside the mouth below the upper lip, and the change of colour further down, RGB."""


def _contour(points: tuple[tuple[float, float], ...], columns: Doubles) -> Doubles:
    """Return the height of an open contour in each column, constant beyond its ends."""
    on_canvas = to_canvas(points)
    heights = np.interp(columns, on_canvas[:, 0], on_canvas[:, 1])
    return np.convolve(np.pad(heights, 3, mode="edge"), np.ones(7) / 7, mode="valid")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lips:
    """The lips in each column of the mouth's box, px: (W,) heights in the photograph, and their movement."""

    upper: Doubles
    lower: Doubles
    new_upper: Doubles
    new_lower: Doubles
    jaw_shift: Doubles
    shape: Doubles
    """0 at the corners of the mouth to 1 in its middle."""
    closing: float
    """0 for the smile of the photograph to 1 for closed lips."""
    drop: float
    """Distance of the lower lip below its position in the photograph, px."""


def _moved_lips(opening: float, columns: Doubles) -> _Lips:
    upper, lower = _contour(_UPPER_LIP, columns), _contour(_LOWER_LIP, columns)
    left_x, right_x = (float(to_canvas([point])[0, 0]) for point in (_UPPER_LIP[0], _UPPER_LIP[-1]))
    across = np.clip((columns - left_x) / (right_x - left_x) * 2 - 1, -1, 1)
    shape = np.clip(1 - across**2, 0, 1) ** 0.7
    closing = max(0.0, 0.45 - opening) / 0.45
    drop = max(0.0, opening - 0.45) / 0.55 * 15.0
    return _Lips(
        upper=upper,
        lower=lower,
        new_upper=upper + closing * 0.4 * (lower - upper),
        new_lower=lower + drop * shape - closing * 0.6 * (lower - upper),
        jaw_shift=(0.75 * drop - 2.5 * closing) * np.exp(-0.5 * ((columns - _MOUTH_XY[0]) / 62.0) ** 2),
        shape=shape,
        closing=closing,
        drop=drop,
    )


def _skin_rows(lips: _Lips, rows: Doubles) -> tuple[Doubles, Doubles]:
    """Return, for each pixel of the box, the source row of its skin, and its share of the inside of the mouth."""
    from_row = np.empty((len(rows), len(lips.upper)))
    gap = np.empty_like(from_row)
    nose_y, chin_y, neck_y = 262.0, 358.0, 396.0
    for k, (top, bottom) in enumerate(zip(lips.new_upper, lips.new_lower, strict=True)):
        above = np.interp(rows, (nose_y, top), (nose_y, lips.upper[k]))
        below = np.interp(rows, (bottom, chin_y + lips.jaw_shift[k], neck_y), (lips.lower[k], chin_y, neck_y))
        above, below = np.where(rows < nose_y, rows, above), np.where(rows > neck_y, rows, below)
        from_row[:, k] = np.where(rows < 0.5 * (top + bottom), above, below)
        inside = np.clip(np.minimum(rows - top, bottom - rows) / 1.5 + 0.5, 0, 1)
        gap[:, k] = inside * np.clip((bottom - top) / 2.0, 0, 1)
    return from_row, gap


def _mouth_inside(head_in_box: Floats, lips: _Lips, rows: Doubles) -> Doubles:
    """Return (h, w, 4) the upper teeth of the photograph and the darkness below them."""
    teeth_end = np.clip((lips.lower[None] - 1.5 - rows[:, None]) / 3.0, 0, 1)[..., None]
    depth = np.clip((rows[:, None] - lips.upper[None]) / 26.0, 0, 1)[..., None]
    dark = np.dstack([_MOUTH_TOP * (1.0 - 0.35 * depth) + depth * _MOUTH_BOTTOM, np.ones_like(depth)])
    shade = 1.0 - 0.25 * min(1.0, lips.drop / 10.0) - 0.2 * lips.closing
    teeth = head_in_box * np.array([shade, shade, shade, 1.0])
    return np.asarray(teeth * teeth_end + dark * (1 - teeth_end), np.float64)


def _narrowed(patch: Floats, rounding: float, columns: Doubles, rows: Doubles) -> Floats:
    """Return the box with the mouth narrowed from both sides."""
    x, y = columns[None] - _MOUTH_XY[0], rows[:, None] - _MOUTH_XY[1]
    nearness = np.clip(1.0 - np.hypot(x / 62.0, y / 42.0) ** 2, 0, 1) ** 1.2
    from_x = _MOUTH_XY[0] + x * (1.0 + (1.0 / (1.0 - 0.24 * rounding) - 1.0) * nearness)
    in_column = np.asarray(from_x - columns[0], np.float32)
    in_row = np.tile(np.asarray(rows - rows[0], np.float32)[:, None], (1, len(columns)))
    narrow = cv2.remap(patch, in_column, in_row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(narrow, np.float32)


def spoken(head: Floats, opening: float, rounding: float) -> Floats:
    """Return `head` (H, W, 4) with the mouth `opening` (0 closed, 1 wide) and `rounding` (0 wide, 1 narrow).

    The upper teeth stay in place; the lower lip and the jaw move down and show the inside of the mouth, or up and cover
    the teeth.
    """
    x0, y0, x1, y1 = _MOUTH_BOX
    columns, rows = np.arange(x0, x1, dtype=np.float64), np.arange(y0, y1, dtype=np.float64)
    lips = _moved_lips(opening, columns)
    from_row, gap = _skin_rows(lips, rows)
    from_column = np.tile(columns.astype(np.float32), (len(rows), 1))
    skin = cv2.remap(head, from_column, from_row.astype(np.float32), cv2.INTER_CUBIC)
    patch = skin * (1 - gap[..., None]) + _mouth_inside(head[y0:y1, x0:x1], lips, rows) * gap[..., None]
    contact = rows[:, None] - 0.5 * (lips.new_upper + lips.new_lower)[None]
    seam = np.exp(-((contact / 1.6) ** 2)) * lips.shape
    patch[..., :3] *= (1.0 - 0.45 * max(0.0, lips.closing - 0.5) * 2 * seam)[..., None]
    moved = head.copy()
    moved[y0:y1, x0:x1] = _narrowed(patch.astype(np.float32), rounding, columns, rows)
    moved[..., 3] = np.clip(moved[..., 3], 0, 1)
    return np.asarray(np.clip(moved, 0, 255 * np.maximum(moved[..., 3:], 1 / 255)), np.float32)


def blinked(head: Floats, closed: float) -> Floats:
    """Return `head` (H, W, 4) with the upper lids lowered, `closed` from 0 (open) to 1 (shut)."""
    if closed <= 0.0:
        return head
    moved = head.copy()
    for upper_points, lower_points in zip(_UPPER_LIDS, _LOWER_LIDS, strict=True):
        ends = to_canvas([upper_points[0], upper_points[-1]])
        x0, x1 = int(ends[0, 0]) - 3, int(ends[1, 0]) + 4
        columns = np.arange(x0, x1, dtype=np.float64)
        upper, lower = _contour(upper_points, columns), _contour(lower_points, columns)
        brow_y, cheek_y = int(upper.min()) - 20, int(lower.max()) + 10
        rows = np.arange(brow_y, cheek_y, dtype=np.float64)
        new_upper = upper + closed * 0.95 * (lower - upper)
        map_y = np.stack([
            np.where(rows > new_upper[k] + 1, rows, np.interp(rows, (brow_y, new_upper[k] + 1), (brow_y, upper[k] + 1)))
            for k in range(len(columns))
        ], axis=1)  # fmt: skip
        map_x = np.tile(columns.astype(np.float32), (len(rows), 1))
        moved[brow_y:cheek_y, x0:x1] = cv2.remap(head, map_x, map_y.astype(np.float32), cv2.INTER_LINEAR)
    return moved


@cache
def _mask_layer() -> Floats:
    """Return the (H, W, 4) mask, premultiplied: pale blue cloth with pleats, darker at its border, and straps."""
    height, width = CANVAS_HW
    outline = to_canvas(_MASK_OUTLINE)
    opacity = np.zeros((height, width), np.uint8)
    cv2.fillPoly(opacity, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    inside = cv2.distanceTransform((opacity > 127).astype(np.uint8), cv2.DIST_L2, 5)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    middle_x, top_y, bottom_y = FACE_XY[0], outline[:, 1].min(), outline[:, 1].max()
    bend = ((x - middle_x) / 100.0) ** 2 * 12.0
    light = 0.98 - 0.30 * ((x - middle_x + 22) / 100.0) ** 2
    for pleat in (0.42, 0.58, 0.74):
        offset = y + bend * 0.6 - (top_y + pleat * (bottom_y - top_y))
        light -= 0.16 * np.exp(-((offset / 2.2) ** 2)) - 0.07 * np.exp(-(((offset + 6) / 4.0) ** 2))
    light += 0.06 * np.exp(-(((y - top_y - 45) / 40.0) ** 2 + ((x - middle_x) / 30.0) ** 2))
    light *= 0.80 + 0.20 * np.clip(inside / 7.0, 0, 1)
    light -= 0.10 * np.exp(-(((inside - 7.0) / 1.2) ** 2))
    weave = np.random.default_rng(3).normal(0.0, 0.012, (height, width)).astype(np.float32)
    colour = (
        np.array([156.0, 196.0, 214.0], np.float32)
        * np.clip(light + cv2.GaussianBlur(weave, (0, 0), 0.7), 0, 1.1)[..., None]
    )

    straps = np.zeros((height, width), np.uint8)
    for start, end in (
        ((267, 129), (272, 122)),
        ((182, 127), (176, 121)),
        ((265, 147), (272, 131)),
        ((182, 145), (176, 130)),
    ):
        a, b = to_canvas([start, end])
        cv2.line(straps, (round(a[0]), round(a[1])), (round(b[0]), round(b[1])), 255, 3, cv2.LINE_AA)
    soft = cv2.GaussianBlur(opacity.astype(np.float32) / 255, (0, 0), 0.8)
    strap = (straps.astype(np.float32) / 255 * (1 - soft))[..., None]
    layer = np.dstack([colour * soft[..., None], soft]) + strap * np.array([225.0, 232.0, 236.0, 1.0])
    return np.asarray(layer, np.float32)


def masked(head: Floats, opening: float) -> Floats:
    """Return `head` (H, W, 4) with a surgical mask, which follows the jaw as the mouth opens."""
    height, width = CANVAS_HW
    stretch = 1.0 + 0.05 * (opening - 0.3)
    top_y = float(to_canvas([_MASK_OUTLINE[0]])[0, 1])
    pull = np.array([[1.0, 0.0, 0.0], [0.0, stretch, top_y * (1 - stretch)]])
    layer = cv2.warpAffine(_mask_layer(), pull, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(layer + head * (1 - layer[..., 3:]), np.float32)


@cache
def _depth() -> Doubles:
    """Return (H, W) distances of the head's surface in front of its axis of rotation, px: skull, face and nose."""
    height, width = CANVAS_HW
    x, y = np.meshgrid(np.arange(width) - FACE_XY[0], np.arange(height) - FACE_XY[1])
    skull = 112 * np.sqrt(np.clip(1 - (x / (76 * SCALE)) ** 2 - ((y + 55) / 190) ** 2, 0, 1))
    face = 35 + 105 * np.sqrt(np.clip(1 - (x / (52 * SCALE)) ** 2 - ((y + 5) / 150) ** 2, 0, 1))
    nose = 42 * np.exp(-((x / 20) ** 2)) * np.exp(-(np.where(y < 12, (y - 12) / 42, (y - 12) / 14) ** 2))
    return np.asarray(cv2.GaussianBlur(np.maximum(skull, np.where(face > 35, face, 0)), (0, 0), 9) + nose, np.float64)


def turn_map(yaw_deg: float) -> tuple[Floats, Floats]:
    """Return the (H, W) source columns and rows of the head turned by `yaw_deg` about its upright axis.

    In each row, a surface point at x from the axis and z in front of it moves to ``x cos + z sin``. Where two points
    coincide the nearer one hides the other, which is a running maximum along the row. Positive turns the nose to
    the right border.
    """
    height, width = CANVAS_HW
    angle = np.radians(abs(yaw_deg))
    depth = _depth() if yaw_deg >= 0 else _depth()[:, ::-1]
    axis_x = FACE_XY[0] if yaw_deg >= 0 else width - 1 - FACE_XY[0]
    columns = np.arange(width, dtype=np.float64)
    moved = axis_x + (columns - axis_x) * np.cos(angle) + depth * np.sin(angle) - 45.0 * np.sin(angle)
    moved = np.maximum.accumulate(moved, axis=1)
    source = np.empty((height, width))
    for row in range(height):
        rising = np.concatenate([[True], np.diff(moved[row]) > 1e-3])
        source[row] = np.interp(columns, moved[row, rising], columns[rising])
    if yaw_deg < 0:
        source = width - 1 - source[:, ::-1]
    rows = np.tile(np.arange(height, dtype=np.float32)[:, None], (1, width))
    return np.asarray(source, np.float32), rows
