"""Drawing of masks over the lower half of a face: the positive samples.

The label is "covered" whenever cloth hides the mouth. A mask worn below the nose still hides what the datasets are made
for, so it counts too; as people disagree about it, it is left out of the figures that the tests check. A
mask pulled under the lips does not count (`objects.chin_mask`).
"""

from typing import Literal

import cv2
import numpy as np

from curation.perception.masks.embedded.teaching.faces import FaceImage
from curation.perception.masks.embedded.teaching.paint import (
    blend,
    cloth,
    cloth_colour,
    fill,
    room_light,
    smooth_outline,
)
from foundation.array_types import Float32Array
from manifests.landmarks import landmark_scheme

__all__ = ["Cover", "draw_mask", "mask_outline", "paint_mask", "skin_colour"]

Cover = Literal["nose", "below_nose", "chin"]
"""Upper edge of a mask: over the nose, over the mouth only, or at the lower lip."""

Style = Literal["surgical", "fitted", "cup", "bandana", "scarf"]

_STYLES: tuple[Style, ...] = ("surgical", "fitted", "cup", "bandana", "scarf")

_JAW = list(landmark_scheme("mediapipe478").jaw)

# MediaPipe's numbers: the nose from between the eyes (6) to its tip (1), below it (2), lips (0, 17), chin (152).
_NOSE_RIDGE = (197, 195, 5, 4)

_SUBNASAL, _UPPER_LIP, _LOWER_LIP, _CHIN = 2, 0, 17, 152

_CHEEKS = (205, 425)


def skin_colour(image: Float32Array, landmarks_px: Float32Array) -> Float32Array:
    """Return the (3,) median colour of both cheeks."""
    side = image.shape[0]
    patches = []
    for index in _CHEEKS:
        x, y = np.clip(landmarks_px[index].astype(int), 4, side - 5)
        patches.append(image[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3))
    return np.asarray(np.median(np.concatenate(patches), axis=0), np.float32)


def draw_mask(face: FaceImage, image: Float32Array, rng: np.random.Generator, cover: Cover) -> Float32Array:
    """Return `image`, which shows `face`, with a mask of any style, cloth and fit on it."""
    style = _STYLES[rng.choice(len(_STYLES), p=[0.35, 0.3, 0.15, 0.1, 0.1])]
    outline = mask_outline(face.landmarks_px, style, cover, rng)
    return paint_mask(face, image, rng, outline, style)


def mask_outline(landmarks_px: Float32Array, style: Style, cover: Cover, rng: np.random.Generator) -> Float32Array:
    """Return the (120, 2) closed outline of a mask, starting at the middle of its upper edge."""
    points = landmarks_px
    top = _top(points, cover, rng)
    jaw = points[_JAW].copy()
    centre = points[_UPPER_LIP]
    jaw = centre + (jaw - centre) * rng.uniform(0.95, 1.1)
    # The jaw runs from ear to ear in 21 points; a mask begins some way down, not equally far on both sides.
    low = 1 if style in {"scarf", "bandana"} else 2
    first = int(rng.integers(low, 5))
    last = 20 - int(np.clip(first + rng.integers(-1, 2), 1, 5))
    if cover != "nose":
        first, last = max(first, 4), min(last, 16)
    lower = jaw[first : last + 1]
    if style == "cup":
        lower = centre + (lower - centre) * np.array([rng.uniform(0.72, 0.92), rng.uniform(0.95, 1.12)])
    down = points[_CHIN] - points[_NOSE_RIDGE[0]]
    if style in {"bandana", "scarf"}:
        length, width = rng.uniform(0.2, 0.9), 0.9 if style == "bandana" else rng.uniform(1.0, 1.25)
        middle = 1 - np.abs(np.linspace(-1, 1, len(lower))) ** (1.0 if style == "bandana" else 4.0)
        lower = centre + (lower - centre) * np.array([width, 1.0]) + middle[:, None] * down * length
    sag = down * rng.uniform(-0.08, 0.1)
    wing = np.array([rng.uniform(0.05, 0.22), 0.0]) * float(np.linalg.norm(down))
    upper_left, upper_right = (top + (end - top) * rng.uniform(0.45, 0.65) + sag for end in (lower[-1], lower[0]))
    edge_drop = down * rng.uniform(0.0, 0.06)
    corners = np.vstack([top, top + wing + edge_drop, upper_left, lower[::-1], upper_right, top - wing + edge_drop])
    corners += rng.normal(0, 0.008, corners.shape) * float(np.linalg.norm(down))
    return smooth_outline(corners, float(rng.uniform(0.004, 0.03)))


def _top(points: Float32Array, cover: Cover, rng: np.random.Generator) -> Float32Array:
    """Return the (2,) middle of the upper edge."""
    share = float(rng.random())
    if cover == "nose":
        ridge = points[list(_NOSE_RIDGE)]
        at = share * (len(ridge) - 1)
        low = min(int(at), len(ridge) - 2)
        return np.asarray(ridge[low] + (ridge[low + 1] - ridge[low]) * (at - low), np.float32)
    upper, lower = (_SUBNASAL, _UPPER_LIP) if cover == "below_nose" else (_LOWER_LIP, _CHIN)
    share = share * 0.6 if cover == "below_nose" else 0.25 + share * 0.5
    return np.asarray(points[upper] + (points[lower] - points[upper]) * share, np.float32)


def paint_mask(
    face: FaceImage, image: Float32Array, rng: np.random.Generator, outline: Float32Array, style: Style
) -> Float32Array:
    """Return the image with cloth inside the outline: folds, light, straps, seam and shadow included."""
    side = image.shape[0]
    points, skin = face.landmarks_px, skin_colour(image, face.landmarks_px)
    colour = cloth_colour(rng, skin)
    sheet = cloth(rng, side, colour, cloth_colour(rng, skin))
    alpha = fill(outline, side, float(rng.uniform(0.0, 1.2)))
    width = float(np.ptp(outline[:, 0]))
    light = room_light(image, rng, skin) * _relief(points, side, width, style, rng)
    lit = np.clip(sheet * light, 0, 1)
    if rng.random() < 0.5:
        seam = np.zeros((side, side), np.float32)
        fixed = np.round(outline * 16).astype(np.int32)
        cv2.polylines(seam, [fixed], isClosed=True, color=1.0, thickness=int(rng.integers(1, 3)), lineType=16, shift=4)
        lit = blend(lit.astype(np.float32), np.clip(lit * rng.uniform(0.5, 1.5), 0, 1), seam * alpha)
    if style not in {"bandana", "scarf"} and rng.random() < 0.75:
        image = _straps(points, image, outline, colour * float(light.mean()), rng)
    shadow = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(1.5, 4))), np.float32) * rng.uniform(0, 0.5)
    shaded = image * (1 - shadow[..., None] * (1 - alpha[..., None]))
    return blend(shaded.astype(np.float32), lit.astype(np.float32), alpha)


def _relief(points: Float32Array, side: int, width: float, style: Style, rng: np.random.Generator) -> Float32Array:
    """Return (side, side, 1) shading by the mask's form: round from side to side, ridge, pleats."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    middle_x = float(points[_UPPER_LIP, 0]) + rng.normal(0, 0.05) * width
    across = (x - middle_x) / max(width, 1.0)
    shading = 1 - rng.uniform(0, 1.4) * across**2 + rng.uniform(-0.5, 0.5) * across
    top, bottom = float(points[_NOSE_RIDGE[0], 1]), float(points[_CHIN, 1])
    down = (y - top) / max(bottom - top, 1.0)
    shading += rng.uniform(-0.3, 0.15) * (down - 0.5)
    if style == "cup" or rng.random() < 0.25:
        shading += rng.uniform(-0.2, 0.3) * np.exp(-((across / 0.04) ** 2))
    if style == "surgical" and rng.random() < 0.85:
        pleats = int(rng.integers(2, 5))
        bent = down + rng.uniform(-0.6, 0.3) * across**2
        for pleat in range(pleats):
            at = (pleat + rng.uniform(0.6, 1.2)) / (pleats + 0.6)
            shading -= rng.uniform(0.05, 0.35) * np.exp(-(((bent - at) / rng.uniform(0.012, 0.03)) ** 2))
    return np.asarray(np.clip(shading, 0.25, 1.5), np.float32)[..., None]


def _straps(
    points: Float32Array, image: Float32Array, outline: Float32Array, colour: Float32Array, rng: np.random.Generator
) -> Float32Array:
    """Return the image with ear loops from the mask's sides to the ears."""
    painted = image.copy()
    strap = np.clip(colour if rng.random() < 0.5 else np.full(3, rng.uniform(0.1, 0.95)), 0, 1)
    for ear, extreme in ((_JAW[0], outline[:, 0].argmin()), (_JAW[-1], outline[:, 0].argmax())):
        for drop in (0.0, rng.uniform(0.1, 0.25)):
            start = outline[extreme] + np.array([0.0, drop * 0.6]) * float(np.ptp(outline[:, 1]))
            end = points[ear] + np.array([0.0, (drop - 0.08)]) * float(np.ptp(outline[:, 1]))
            ends = [tuple(round(float(v)) for v in p) for p in (start, end)]
            cv2.line(painted, ends[0], ends[1], strap.tolist(), int(rng.integers(1, 3)), cv2.LINE_AA)
    return painted
