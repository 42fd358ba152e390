"""Layers of the photograph: head and body with soft edges, and the backdrop behind them.

All layers share one canvas: the photograph, turned upright and enlarged, with the middle of the face at `FACE_XY`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

__all__ = ["CANVAS_HW", "FACE_XY", "SCALE", "Layers", "load_layers", "to_canvas"]

Floats = npt.NDArray[np.float32]

SCALE = 2.1
CANVAS_HW = (600, 760)
FACE_XY = (380.0, 250.0)
_SOURCE_MIDDLE = (224.0, 125.0)
_TILT_DEG = 3.05
"""Tilt of the head in the photograph: the angle of the line through the outer eye corners."""

_JAW = (
    (180.9, 119.0), (181.3, 128.8), (182.6, 139.8), (185.3, 149.0), (189.1, 156.1), (194.6, 162.7), (199.7, 167.7),
    (205.3, 172.3), (212.2, 175.9), (221.4, 177.8), (230.7, 177.2), (238.0, 174.4), (244.1, 170.4), (249.7, 165.8),
    (256.1, 159.4), (260.9, 152.7), (265.0, 143.9), (267.7, 133.3), (269.0, 123.5),
)  # fmt: skip
"""Outline of the jaw in the photograph, px, found once with MediaPipe's Face Landmarker."""
_HEAD_BOTTOM_Y, _BODY_TOP_Y = 136, 146
"""Rows of the photograph, px. Above the first one the whole person is head, below it the head is the inside of the
outline of the jaw; above the second one there is no body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layers:
    """The parts of the photograph on the canvas; colours RGB 0 to 255, premultiplied by the opacity 0 to 1."""

    head: Floats
    """(H, W, 4) face and hair."""
    body: Floats
    """(H, W, 4) neck and suit, filled in where the head covers them."""
    backdrop: Floats
    """(H, W, 3) the studio wall without the person."""


def _source_to_canvas() -> npt.NDArray[np.float64]:
    matrix = cv2.getRotationMatrix2D(_SOURCE_MIDDLE, _TILT_DEG, SCALE)
    matrix[:, 2] += np.array(FACE_XY) - np.array(_SOURCE_MIDDLE)
    return np.asarray(matrix, np.float64)


def to_canvas(points: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return (N, 2) points of the photograph, px, as points of the canvas."""
    matrix = _source_to_canvas()
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def _person_opacity(photo: npt.NDArray[np.uint8]) -> Floats:
    """Return (H, W) opacity of the person in the photograph: GrabCut from a rough outline."""
    height, width = photo.shape[:2]
    label = np.full((height, width), cv2.GC_BGD, np.uint8)
    cv2.ellipse(label, (228, 100), (88, 96), 0, 0, 360, cv2.GC_PR_BGD, -1)
    cv2.fillPoly(label, [np.array([(30, height), (60, 215), (110, 140), (330, 140), (400, 280), (430, height)])],
                 cv2.GC_PR_FGD)  # fmt: skip
    cv2.ellipse(label, (227, 98), (70, 78), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(label, (225, 115), (48, 62), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.fillPoly(label, [np.array([(90, height), (150, 240), (190, 160), (255, 160), (290, 240), (330, height)])],
                 cv2.GC_FGD)  # fmt: skip
    collar = np.array([(114, 200), (125, 174), (143, 157), (166, 150), (187, 150), (187, 215), (120, 220)])
    cv2.fillPoly(label, [collar], cv2.GC_FGD)
    cv2.setRNGSeed(1)
    cv2.grabCut(photo, label, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    person = ((label == cv2.GC_FGD) | (label == cv2.GC_PR_FGD)).astype(np.uint8)
    n_parts, parts, stats, _ = cv2.connectedComponentsWithStats(person)
    largest = 1 + int(np.argmax(stats[1:n_parts, cv2.CC_STAT_AREA]))
    person = cv2.morphologyEx((parts == largest).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    soft = cv2.GaussianBlur(cv2.erode(person, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), 1.0)
    return np.asarray(soft, np.float32)


def _head_opacity(person: Floats) -> Floats:
    """Return (H, W) opacity of the head alone: hair and face, without neck and suit."""
    height, width = person.shape
    jaw = np.zeros((height, width), np.uint8)
    above = [(x, _HEAD_BOTTOM_Y - 20.0) for x in (269.0, 180.9)]
    cv2.fillPoly(jaw, [np.rint(np.array([*_JAW, *above]) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    jaw[:_HEAD_BOTTOM_Y] = 1
    inside = cv2.GaussianBlur(jaw.astype(np.float32), (0, 0), 0.9)
    return np.asarray(person * inside, np.float32)


def _backdrop(photo: npt.NDArray[np.uint8], person: Floats) -> Floats:
    """Return the wall, a wide average of its visible pixels."""
    wall = (cv2.dilate(person, np.ones((13, 13), np.uint8)) < 0.02).astype(np.float32)
    wall[:, :75] = 0.0  # the flag
    wall[170:, 300:] = 0.0  # the model of the shuttle
    colour = cv2.GaussianBlur(photo.astype(np.float32) * wall[..., None], (0, 0), 30)
    weight = cv2.GaussianBlur(wall, (0, 0), 30)
    smooth = colour / np.maximum(weight, 1e-6)[..., None]
    mean = (photo.astype(np.float32) * wall[..., None]).sum((0, 1)) / wall.sum()
    trust = np.clip(weight / 0.02, 0.0, 1.0)[..., None]
    return np.asarray(cv2.GaussianBlur(smooth * trust + mean * (1 - trust), (0, 0), 12), np.float32)


def load_layers() -> Layers:
    """Return the layers of scikit-image's `astronaut` photograph (NASA, public domain)."""
    photo = np.asarray(skimage.data.astronaut(), np.uint8)
    person = _person_opacity(photo)
    head = _head_opacity(person)
    hidden = (cv2.dilate(head, np.ones((7, 7), np.uint8)) > 0.02).astype(np.uint8)
    hidden[: _BODY_TOP_Y - 8] = 0
    filled = np.asarray(cv2.inpaint(photo, hidden, 5, cv2.INPAINT_TELEA), np.uint8)
    neck = (slice(_BODY_TOP_Y - 8, 172), slice(190, 260))
    shadow = np.linspace(0.55, 0.95, 172 - _BODY_TOP_Y + 8)[:, None, None]
    skin = photo[178:184, 205:240].reshape(-1, 3).mean(0) * shadow
    filled[neck] = np.where(hidden[neck][..., None] > 0, skin, filled[neck]).astype(np.uint8)
    filled = np.where(hidden[..., None] > 0, cv2.GaussianBlur(filled, (0, 0), 2.5), filled).astype(np.uint8)
    body_opacity = person.copy()
    body_opacity[:_BODY_TOP_Y] = 0.0
    wall_outline = np.array(
        [(300, _BODY_TOP_Y - 6), (240, _BODY_TOP_Y - 6), (247, 160), (254, 174), (258, 176), (300, 176)]
    )
    wall = np.zeros(person.shape, np.uint8)
    cv2.fillPoly(wall, [wall_outline.astype(np.int32)], 1)
    body_opacity[wall > 0] = 0.0
    body_opacity = np.minimum(cv2.GaussianBlur(body_opacity, (0, 0), 1.0), person)

    matrix, (height, width) = _source_to_canvas(), CANVAS_HW

    def enlarged(image: npt.NDArray[np.float32], opacity: Floats) -> Floats:
        layer = np.dstack([image * opacity[..., None], opacity]).astype(np.float32)
        big = np.asarray(cv2.warpAffine(layer, matrix, (width, height), flags=cv2.INTER_CUBIC), np.float32)
        soft = cv2.GaussianBlur(big, (0, 0), 2.0)
        big[..., :3] += 0.35 * (big[..., :3] - soft[..., :3])  # restores some of the sharpness lost by enlarging
        opacity_big = np.clip(big[..., 3:], 0.0, 1.0)
        return np.asarray(np.dstack([np.clip(big[..., :3], 0, 255 * opacity_big), opacity_big]), np.float32)

    studio = cv2.warpAffine(
        _backdrop(photo, person), matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return Layers(
        head=enlarged(photo.astype(np.float32), head),
        body=enlarged(filled.astype(np.float32), body_opacity),
        backdrop=np.asarray(studio, np.float32),
    )
