"""Flat things drawn over a picture: captions, bars with words, boxes as large objects look."""

import cv2
import numpy as np

from curation.perception.masks.embedded.teaching.faces import FaceImage
from curation.perception.masks.embedded.teaching.paint import blend, cloth, cloth_colour
from foundation.array_types import Float32Array

__all__ = ["bar", "box", "caption"]

_BROW, _SUBNASAL, _UPPER_LIP, _LOWER_LIP, _CHIN = 9, 2, 0, 17, 152

_GREY = np.full(3, 0.5, np.float32)


def _face_size(face: FaceImage) -> float:
    """Return the distance from the brows to the chin, pixels."""
    return float(np.linalg.norm(face.landmarks_px[_CHIN] - face.landmarks_px[_BROW]))


def _words(rng: np.random.Generator, side: int, base_px: float, scale: float, first_px: int) -> Float32Array:
    """Return the (side, side) coverage of a line of letters whose feet stand at `base_px`."""
    words = "".join(chr(int(c)) if c > 96 else " " for c in rng.integers(91, 123, 24))
    letters = np.zeros((side, side), np.uint8)
    words = words.upper() if rng.random() < 0.4 else words
    thickness = int(rng.integers(1, 3)) if scale < 0.8 else int(rng.integers(2, 5))
    cv2.putText(letters, words, (first_px, round(base_px)), 0, scale, 255, thickness, cv2.LINE_AA)
    return np.asarray(letters, np.float32) / np.float32(255)


def caption(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a line of bare letters over the lower face."""
    side, size = image.shape[0], _face_size(face)
    base = float(face.landmarks_px[_LOWER_LIP, 1]) + rng.normal(0.1, 0.3) * size
    letters = _words(rng, side, base, float(rng.uniform(0.3, 1.2)), int(rng.integers(-15, 40)))
    ink = np.full(3, float(rng.random() < 0.6)) if rng.random() < 0.7 else cloth_colour(rng, _GREY)
    painted = image
    if rng.random() < 0.4:
        outline = np.asarray(cv2.dilate(letters, np.ones((3, 3), np.uint8)), np.float32)
        painted = blend(painted, np.full_like(painted, 1) * (1 - ink), outline)
    return blend(painted, np.full_like(painted, 1) * ink, letters)


def _surface(rng: np.random.Generator, side: int) -> Float32Array:
    """Return a (side, side, 3) flat colour, now and then printed or shaded."""
    colour = cloth_colour(rng, _GREY)
    if rng.random() < 0.3:
        return cloth(rng, side, colour, cloth_colour(rng, _GREY))
    sheet = np.broadcast_to(colour, (side, side, 3)).astype(np.float32)
    if rng.random() < 0.3:
        sheet = sheet * np.linspace(1, rng.uniform(0.5, 1.0), side, dtype=np.float32)[:, None, None]
    return np.asarray(sheet, np.float32)


def _rectangle(side: int, left: float, top: float, right: float, bottom: float) -> Float32Array:
    """Return the (side, side) coverage of an upright rectangle."""
    y, x = np.mgrid[:side, :side] + 0.5
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom), np.float32)


def bar(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a bar from side to side, most often with words in it: burnt-in subtitles, a lower third."""
    side, size, points = image.shape[0], _face_size(face), face.landmarks_px
    tall = size * rng.uniform(0.15, 0.6)
    middle = float(points[_UPPER_LIP, 1] + points[_LOWER_LIP, 1]) / 2 + rng.normal(0.04, 0.2) * size
    x = float(points[_UPPER_LIP, 0])
    left = -1.0 if rng.random() < 0.6 else x - size * rng.uniform(0.25, 1.0)
    right = side + 1.0 if rng.random() < 0.6 else x + size * rng.uniform(0.25, 1.0)
    alpha = _rectangle(side, left, middle - tall / 2, right, middle + tall / 2)
    alpha = alpha if rng.random() < 0.7 else alpha * np.float32(rng.uniform(0.5, 1.0))
    surface = _surface(rng, side)
    painted = blend(image, surface, alpha)
    if rng.random() < 0.7:
        scale = tall / 30 * rng.uniform(0.6, 1.0)
        letters = _words(rng, side, middle + tall * 0.25, scale, int(left + rng.uniform(0, 0.4) * side))
        ink = np.full(3, float(surface.mean() < 0.5)) if rng.random() < 0.7 else cloth_colour(rng, _GREY)
        painted = blend(painted, np.full_like(painted, 1) * ink, letters * (alpha > 0))
    return painted


def box(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a box that stands before the lower face: a fixed microphone, a book, a screen, an inset picture."""
    side, size, points = image.shape[0], _face_size(face), face.landmarks_px
    top = float(points[_UPPER_LIP, 1]) + rng.normal(0.04, 0.18) * size
    bottom = side + 1.0 if rng.random() < 0.6 else top + size * rng.uniform(0.25, 1.2)
    middle = float(points[_UPPER_LIP, 0]) + rng.normal(0, 0.12) * size
    half = size * rng.uniform(0.15, 0.9)
    alpha = _rectangle(side, middle - half, top, middle + half, bottom)
    if rng.random() < 0.3:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.5, 3))), np.float32)
    return blend(image, _surface(rng, side), alpha)
