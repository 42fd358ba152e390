"""Search regions of a face detector: square crops of an image, and the merging of their detections.

A detector scales each crop to a small fixed size (128x128 for MediaPipe's), so a small face needs a crop of the
image, and a face that fills the image needs a border around it. Such a crop is called a look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curation.perception.protocols import Square
from foundation.array_types import Float32Array, Float64Array, RgbImage

__all__ = [
    "Candidate",
    "are_wide_enough",
    "cut_square",
    "finer_sides",
    "full_image",
    "halved",
    "halvings",
    "is_cut_off",
    "merge_candidates",
    "scaled",
    "tiles",
    "with_others",
]

_PADDING = 1.25
"""Side of the look at the full image over the longer side of the image: close-ups fail without a border."""

_TILE_STEP = 0.67
"""Largest distance between neighbouring tiles over their side: one of them shows all of a face of a third of a tile."""

_ALMOST = 0.8
"""A detection this wide, over the narrowest face that is asked for, may be of such a face: detectors' boxes differ."""

_SAME_FACE_OVERLAP = 0.5
"""Two boxes are one face when they share more than this fraction of the smaller one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """Detection of a face."""

    box_px: Float64Array
    """(4,) x0, y0, x1, y1."""
    eyes_px: Float64Array
    """(2, 2) right eye, left eye."""
    score: float
    look: Square | None = None
    """Crop of the image in which it was detected, in pixels of that image."""


def full_image(width: int, height: int) -> Square:
    """Return the look at a full image of `width` by `height` pixels, with a border around it."""
    side = max(width, height) * _PADDING
    return Square(x0=(width - side) / 2, y0=(height - side) / 2, side=side)


def tiles(width: int, height: int, side: float | None = None) -> list[Square]:
    """Return overlapping squares that cover an image of `width` by `height` pixels, left to right, top to bottom.

    Args:
        width: of the image, pixels.
        height: likewise.
        side: of the squares, at most that of the image's shorter side; None: as large as will do.

    >>> [(tile.x0, tile.y0, tile.side) for tile in tiles(1280, 720)]
    [(0.0, 0.0, 720.0), (280.0, 0.0, 720.0), (560.0, 0.0, 720.0)]
    """
    longer, shorter = max(width, height), min(width, height)
    if side is None:
        side = float(shorter if longer >= 1.3 * shorter else longer / 1.6)
    columns, rows = (int(np.ceil((extent - side) / (side * _TILE_STEP))) + 1 for extent in (width, height))
    return [
        Square(x0=float(x0), y0=float(y0), side=side)
        for y0 in np.linspace(0, height - side, rows)
        for x0 in np.linspace(0, width - side, columns)
    ]


def finer_sides(coarsest: float, finest: float) -> list[float]:
    """Return the sides of smaller tiles after those of side `coarsest`, each at least half of the one before.

    A face of a third of a tile is whole in one of them, and the detector finds one of a seventh: no size is left out.

    Args:
        coarsest: side of the largest tiles.
        finest: side of the smallest; nothing is returned where it is not clearly smaller.

    >>> [round(side) for side in finer_sides(4320.0, 480.0)], finer_sides(2160.0, 1080.0), finer_sides(720.0, 700.0)
    ([2494, 1440, 831, 480], [1080.0], [])
    """
    if coarsest <= 1.1 * finest:
        return []
    n = int(np.ceil(np.log2(coarsest / finest) - 1e-9))
    return [float(finest * (coarsest / finest) ** (1 - step / n)) for step in range(1, n + 1)]


def cut_square(frame: RgbImage, square: Square, side_px: int) -> RgbImage:
    """Return `square` of `frame` as a (side_px, side_px, 3) image, black where it reaches beyond the frame."""
    import cv2

    height, width = frame.shape[:2]
    scale = side_px / square.side
    x0, y0 = max(0, round(square.x0)), max(0, round(square.y0))
    x1, y1 = min(width, round(square.x0 + square.side)), min(height, round(square.y0 + square.side))
    crop = np.zeros((side_px, side_px, 3), np.uint8)
    if x1 <= x0 or y1 <= y0:
        return crop
    left, right = (min(max(round((x - square.x0) * scale), 0), side_px) for x in (x0, x1))
    top, bottom = (min(max(round((y - square.y0) * scale), 0), side_px) for y in (y0, y1))
    if right == left or bottom == top:
        return crop
    pixels, factor = halved(frame[y0:y1, x0:x1], 2 * max(right - left, bottom - top))
    # area averaging keeps small faces, linear interpolation is cheaper
    method = cv2.INTER_AREA if scale * factor < 0.6 else cv2.INTER_LINEAR
    crop[top:bottom, left:right] = cv2.resize(pixels, (right - left, bottom - top), interpolation=method)
    return crop


def is_cut_off(candidate: Candidate, tile: Square, width: int, height: int) -> bool:
    """Return whether a face found in `tile` touches a border of the tile that lies inside the image."""
    margin = 0.03 * tile.side
    x0, y0, x1, y1 = candidate.box_px
    right, bottom = tile.x0 + tile.side, tile.y0 + tile.side
    return bool(
        (tile.x0 > 0 and x0 < tile.x0 + margin)
        or (tile.y0 > 0 and y0 < tile.y0 + margin)
        or (right < width and x1 > right - margin)
        or (bottom < height and y1 > bottom - margin)
    )


def merge_candidates(candidates: list[Candidate]) -> list[Candidate]:
    """Return one candidate per face, the best score first; of overlapping candidates the best is kept."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: -one.score):
        if all(shared_fraction(candidate.box_px, other.box_px) <= _SAME_FACE_OVERLAP for other in kept):
            kept.append(candidate)
    return kept


def with_others(candidates: Sequence[Candidate], others: Sequence[Candidate]) -> list[Candidate]:
    """Return `candidates` and those of `others` that are none of them."""
    return [
        *candidates,
        *(
            other
            for other in others
            if all(shared_fraction(other.box_px, one.box_px) <= _SAME_FACE_OVERLAP for one in candidates)
        ),
    ]


def are_wide_enough(candidates: Sequence[Candidate], least_px: float) -> bool:
    """Return whether one of the faces is about as wide as `least_px`, so that no finer search is needed."""
    return any(one.box_px[2] - one.box_px[0] >= _ALMOST * least_px for one in candidates)


def scaled(candidate: Candidate, factor: float) -> Candidate:
    """Return a candidate in pixels of which `factor` are as wide as one of those that it is given in."""
    look = candidate.look
    return Candidate(
        box_px=candidate.box_px * factor,
        eyes_px=candidate.eyes_px * factor,
        score=candidate.score,
        look=None if look is None else Square(x0=look.x0 * factor, y0=look.y0 * factor, side=look.side * factor),
    )


def shared_fraction(first_px: Float64Array | Float32Array, second_px: Float64Array | Float32Array) -> float:
    """Return the area that two (4,) boxes share over the area of the smaller one.

    >>> shared_fraction(np.array([0.0, 0, 4, 4]), np.array([2.0, 0, 4, 2]))
    1.0
    """
    shared = np.minimum(first_px[2:], second_px[2:]) - np.maximum(first_px[:2], second_px[:2])
    if (shared <= 0).any():
        return 0.0
    smaller = min(np.prod(first_px[2:] - first_px[:2]), np.prod(second_px[2:] - second_px[:2]))
    return float(np.prod(shared) / smaller)


def halved(frame: RgbImage, at_least_px: int) -> tuple[RgbImage, int]:
    """Halve an image as often as its shorter side stays at least `at_least_px`.

    Returns:
        the image, and how many pixels of `frame` one of its pixels is wide: 1, 2, 4, ...
    """
    factor = 0.5
    for smaller in halvings(frame, at_least_px):
        frame, factor = smaller, 2 * factor
    return frame, int(factor)


def halvings(frame: RgbImage, at_least_px: int) -> Iterator[RgbImage]:
    """Yield an image, its half, its quarter and so on, as often as the shorter side stays at least `at_least_px`.

    Every pixel is the mean of a block of pixels; an odd last row or column is left out. To a quarter of 1920 by 1080
    pixels this is three times as fast as one resize by area averaging.
    """
    import cv2

    yield frame
    while min(frame.shape[:2]) // 2 >= at_least_px:
        height, width = frame.shape[0] // 2, frame.shape[1] // 2
        smaller = cv2.resize(frame[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        frame = np.asarray(smaller, dtype=np.uint8)
        yield frame
