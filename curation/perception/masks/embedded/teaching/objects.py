"""Objects near a mouth: each function draws one that is no mask, sometimes beside the lips, sometimes over them."""

from collections.abc import Callable

import cv2
import numpy as np

from curation.perception.masks.embedded.teaching.drawing import draw_mask, mask_outline, paint_mask, skin_colour
from curation.perception.masks.embedded.teaching.faces import FaceImage
from curation.perception.masks.embedded.teaching.overlays import bar, box, caption
from curation.perception.masks.embedded.teaching.paint import (
    AnyFloats,
    blend,
    cloth,
    cloth_colour,
    fill,
    room_light,
    smooth_noise,
)
from foundation.array_types import Float32Array
from manifests.landmarks import landmark_scheme

__all__ = ["OBJECTS", "DrawObject"]

DrawObject = Callable[[FaceImage, Float32Array, np.random.Generator], Float32Array]

_SCHEME = landmark_scheme("mediapipe478")

_JAW, _LIPS = list(_SCHEME.jaw), list(_SCHEME.outer_lips)

_SUBNASAL, _UPPER_LIP, _CHIN, _BROW, _FOREHEAD = 2, 0, 152, 9, 10

_HAIR = ((0.08, 0.06, 0.05), (0.2, 0.13, 0.08), (0.45, 0.32, 0.18), (0.55, 0.53, 0.5), (0.35, 0.15, 0.08))


def _face_size(face: FaceImage) -> float:
    """Return the distance from the brows to the chin, pixels."""
    return float(np.linalg.norm(face.landmarks_px[_CHIN] - face.landmarks_px[_BROW]))


def _near_mouth(face: FaceImage, rng: np.random.Generator, spread: float) -> Float32Array:
    """Return a (2,) point near the mouth, `spread` in units of the face's size."""
    lip = face.landmarks_px[_UPPER_LIP]
    offset = np.array([rng.normal(0, spread), abs(rng.normal(0.02, spread))])
    return np.asarray(lip + offset * _face_size(face), np.float32)


def _stroke(side: int, start: AnyFloats, end: AnyFloats, width_px: float) -> Float32Array:
    """Return the (side, side) coverage of a thick line with round ends."""
    layer = np.zeros((side, side), np.uint8)
    ends = [tuple(round(float(v) * 16) for v in p) for p in (start, end)]
    cv2.line(layer, ends[0], ends[1], 255, max(int(width_px), 1), cv2.LINE_AA, 4)
    return np.asarray(layer, np.float32) / np.float32(255)


def _solid(alpha: AnyFloats, colour: AnyFloats, depth_px: float) -> Float32Array:
    """Return a (H, W, 3) object of this colour, darker towards its edges as round objects are."""
    distance = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    shade = 0.6 + 0.4 * np.clip(np.asarray(distance) / max(depth_px, 1.0), 0, 1)
    return np.asarray(np.clip(colour * shade[..., None], 0, 1), np.float32)


def hand(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a hand at the mouth or the chin: a palm and up to four fingers in the colour of the skin."""
    side, size = image.shape[0], _face_size(face)
    skin = skin_colour(image, face.landmarks_px) * rng.uniform(0.8, 1.15) + rng.normal(0, 0.015, 3)
    tip = _near_mouth(face, rng, 0.16)
    angle = rng.uniform(-2.6, -0.5)
    direction = np.array([np.cos(angle), np.sin(angle)])
    sideways = np.array([-direction[1], direction[0]])
    finger = size * rng.uniform(0.1, 0.16)
    palm = tip - direction * size * rng.uniform(0.35, 0.6)
    painted = image
    strokes = [_stroke(side, palm, palm - direction * size, finger * 3.6)]
    for index in range(int(rng.integers(1, 5))):
        root = palm + sideways * finger * 0.95 * (index - 1.5)
        end = tip + sideways * finger * (index - 1.5) * rng.uniform(0.8, 1.2) + rng.normal(0, 0.04, 2) * size
        strokes.append(_stroke(side, root, end, finger))
    for alpha in strokes:
        soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.0), np.float32)
        surface = _solid(alpha, skin.astype(np.float32), finger * 0.45) * (
            0.9 + 0.2 * smooth_noise(rng, side, 12)[..., None]
        )
        painted = blend(painted, surface.astype(np.float32), soft)
    return painted


def microphone(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a microphone held to the mouth, of metal gauze or foam."""
    side, size = image.shape[0], _face_size(face)
    head = _near_mouth(face, rng, 0.12) + np.array([0, size * 0.05])
    radius = size * rng.uniform(0.08, 0.34)
    angle = rng.uniform(0.2, np.pi - 0.2)
    direction = np.array([np.cos(angle), np.sin(angle)])
    light = room_light(image, rng, skin_colour(image, face.landmarks_px))
    dark = np.full(3, rng.uniform(0.03, 0.25), np.float32)
    handle = _stroke(side, head, head + direction * size * 1.6, radius * rng.uniform(0.6, 1.2))
    painted = blend(image, _solid(handle, dark, radius * 0.5) * light, handle)
    ball = np.zeros((side, side), np.uint8)
    axes = (int(radius), int(radius * rng.uniform(0.8, 1.2)))
    cv2.ellipse(ball, (int(head[0]), int(head[1])), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    alpha = np.asarray(ball, np.float32) / 255
    foam = cloth_colour(rng, dark) if rng.random() < 0.5 else np.full(3, rng.uniform(0.05, 0.6), np.float32)
    y, x = np.mgrid[:side, :side]
    gauze = 1 + rng.uniform(0, 0.5) * np.sin(x * 2) * np.sin(y * 2)
    return blend(painted, np.clip(_solid(alpha, foam, radius) * gauze[..., None] * light, 0, 1), alpha)


def cup(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a cup, a glass or food lifted to the mouth."""
    side, size = image.shape[0], _face_size(face)
    top = _near_mouth(face, rng, 0.1)
    wide, tall, narrow = size * rng.uniform(0.14, 0.4), size * rng.uniform(0.4, 0.8), rng.uniform(0.6, 1.1)
    corners = np.array([[-wide, 0], [wide, 0], [wide * narrow, tall], [-wide * narrow, tall]])
    lean = rng.uniform(-0.6, 0.6)
    turn = np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]])
    alpha = fill((top + corners @ turn).astype(np.float32), side, float(rng.uniform(0.3, 1.2)))
    skin = skin_colour(image, face.landmarks_px)
    sheet = cloth(rng, side, cloth_colour(rng, skin), cloth_colour(rng, skin))
    surface = np.clip(sheet * room_light(image, rng, skin), 0, 1).astype(np.float32)
    painted = blend(image, surface, alpha * float(rng.uniform(0.75, 1)))
    return hand(face, painted, rng) if rng.random() < 0.3 else painted


def beard(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a beard, a moustache or both: hair around lips that stay bare."""
    side, size, points = image.shape[0], _face_size(face), face.landmarks_px
    lip, below_nose = points[_UPPER_LIP], points[_SUBNASAL]
    first = int(rng.integers(2, 8))
    lower = points[_JAW[first : 21 - first]]
    upper = below_nose + (lip - below_nose) * rng.uniform(0.1, 0.7)
    outline = np.vstack([upper[None], (lower + (lip - lower) * 0.02)[::-1]])
    if rng.random() < 0.25:
        corner_r, corner_l = points[61], points[291]
        outline = np.vstack([below_nose[None], corner_l[None] + 2, lip[None], corner_r[None] + 2])
    if rng.random() < 0.3:
        outline = lip + (outline - lip) * np.array([1.0, rng.uniform(1.0, 1.5)])
    alpha = fill(outline.astype(np.float32), side, size * float(rng.uniform(0.01, 0.05)))
    mouth = points[_LIPS].mean(axis=0) + (points[_LIPS] - points[_LIPS].mean(axis=0)) * rng.uniform(0.95, 1.15)
    alpha = alpha * (1 - fill(mouth.astype(np.float32), side, 1.5)) * rng.uniform(0.55, 0.97)
    hair = np.asarray(_HAIR[rng.integers(len(_HAIR))], np.float32) * rng.uniform(0.6, 1.3)
    strands = rng.random((side, side)).astype(np.float32)
    strands = np.asarray(cv2.GaussianBlur(strands, (0, 0), sigmaX=0.7, sigmaY=float(rng.uniform(1, 3))), np.float32)
    strands = (strands - 0.5) * rng.uniform(2, 5) + 1
    light = room_light(image, rng, skin_colour(image, points))
    return blend(image, np.clip(hair * strands[..., None] * light, 0, 1), alpha)


def chin_mask(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a mask pulled down under the lips, which hides nothing that matters."""
    return draw_mask(face, image, rng, "chin")


def neck_scarf(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw a scarf or a high collar that ends below the mouth."""
    outline = mask_outline(face.landmarks_px, "scarf", "chin", rng)
    down = np.array([0.0, _face_size(face) * rng.uniform(0.05, 0.3)])
    return paint_mask(face, image, rng, (outline + down).astype(np.float32), "scarf")


def headband(face: FaceImage, image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Draw cloth over the forehead: the cloth of a mask, elsewhere."""
    points = face.landmarks_px
    up = (points[_FOREHEAD] - points[_BROW]) * rng.uniform(0.6, 1.6)
    edge = points[[54, 68, 9, 298, 284]]
    outline = np.vstack([edge, (edge + up)[::-1]]).astype(np.float32)
    return paint_mask(face, image, rng, outline, "fitted")


OBJECTS: dict[str, DrawObject] = {
    "hand": hand,
    "microphone": microphone,
    "cup": cup,
    "beard": beard,
    "chin_mask": chin_mask,
    "neck_scarf": neck_scarf,
    "headband": headband,
    "caption": caption,
    "bar": bar,
    "box": box,
}
"""By name. Whether the lips are still seen is measured on what was drawn (`samples`).

Dark light, motion blur, low resolution and a lowered chin are in `distortions`: they come on top of all."""
