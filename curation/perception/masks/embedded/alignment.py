"""Alignment of faces: crops in which eyes, mouth and chin have the same position, whatever the size and tilt.

Under a mask the landmarks of the mouth are guesses, so roll and position come from the eyes, which a mask leaves bare;
mouth and box affect only the scale.
"""

import numpy as np

from foundation.array_types import Float32Array, RgbImage

__all__ = ["INPUT_SIDE_PX", "align_faces"]

INPUT_SIDE_PX = 64
"""Side of the square that the network reads: the face is then about 45 px wide."""

_SIDE_PER_SCALE = 2.2
"""Side of the crop in units of the face's scale (about 90 mm): brows to below the chin, ear to ear."""

_CENTRE_BELOW_EYES = 0.55
"""Distance of the crop's centre below the line of the eyes, in the same unit."""

_SUPERSAMPLING_LIMIT = 4
"""A large face is sampled this many times as densely at most, then averaged, so that cloth does not alias."""

# Rows of `manifests.landmarks.KEY_POINT_NAMES`.
_RIGHT_EYE = [1, 2]

_LEFT_EYE = [3, 4]

_MOUTH = [5, 6]


def align_faces(frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> RgbImage:
    """Return every face upright in a square of `INPUT_SIDE_PX`; what lies outside the frame repeats its border.

    Args:
        frame: (H, W, 3) image.
        key_points_px: (F, 9, 2) in the order of `manifests.landmarks.KEY_POINT_NAMES`, source pixels.
        boxes_px: (F, 4) x0, y0, x1, y1 around all landmarks, source pixels.

    Returns:
        (F, S, S, 3) uint8, S being `INPUT_SIDE_PX`.

    Raises:
        ValueError: a shape is another one, or a coordinate is not finite.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame is {frame.dtype} of shape {frame.shape}; give uint8 RGB of shape (H, W, 3)")
    n_faces = len(boxes_px)
    if key_points_px.shape != (n_faces, 9, 2) or boxes_px.shape != (n_faces, 4):
        raise ValueError(
            f"key_points_px has shape {key_points_px.shape} and boxes_px {boxes_px.shape}; give (F, 9, 2) and (F, 4)"
        )
    if not (np.isfinite(key_points_px).all() and np.isfinite(boxes_px).all()):
        raise ValueError("key_points_px or boxes_px holds a NaN or an infinity; leave out faces that were not measured")
    aligned = np.empty((n_faces, INPUT_SIDE_PX, INPUT_SIDE_PX, 3), np.uint8)
    for index in range(n_faces):
        aligned[index] = _crop(frame, *_square(key_points_px[index], boxes_px[index]))
    return aligned


def _square(key_points_px: Float32Array, box_px: Float32Array) -> tuple[Float32Array, Float32Array, float]:
    """Return centre (2,), unit vector to the right (2,) and side of the square around a face, in source pixels."""
    right_eye, left_eye = key_points_px[_RIGHT_EYE].mean(axis=0), key_points_px[_LEFT_EYE].mean(axis=0)
    eyes = (right_eye + left_eye) / 2
    between = left_eye - right_eye
    length = float(np.linalg.norm(between))
    # Eyes that coincide have no direction (a broken measurement): upright is the best guess.
    to_right = between / length if length > 1e-3 else np.array([1.0, 0.0])
    down = np.array([-to_right[1], to_right[0]])
    eye_span = float(np.linalg.norm(key_points_px[4] - key_points_px[1]))
    eyes_to_mouth = float((key_points_px[_MOUTH].mean(axis=0) - eyes) @ down)
    box_side = float(max(box_px[2] - box_px[0], box_px[3] - box_px[1]))
    # Three estimates of the same 90 mm, one of which survives any turn of the head.
    scale = max(eye_span, 1.3 * eyes_to_mouth, 0.45 * box_side, 1.0)
    centre = eyes + _CENTRE_BELOW_EYES * scale * down
    return centre.astype(np.float32), to_right.astype(np.float32), _SIDE_PER_SCALE * scale


def _crop(frame: RgbImage, centre: Float32Array, to_right: Float32Array, side_px: float) -> RgbImage:
    """Return the (S, S, 3) square of the frame with this centre, direction and side."""
    import cv2

    factor = int(np.clip(np.ceil(side_px / INPUT_SIDE_PX), 1, _SUPERSAMPLING_LIMIT))
    out_px = INPUT_SIDE_PX * factor
    step = to_right * (side_px / out_px)
    matrix = np.array([[step[0], -step[1], 0.0], [step[1], step[0], 0.0]])
    # OpenCV puts the centre of the first pixel at 0, we put it at 0.5.
    matrix[:, 2] = centre - 0.5 - matrix[:, :2] @ np.full(2, (out_px - 1) / 2)
    crop = cv2.warpAffine(
        frame,
        matrix,
        (out_px, out_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if factor > 1:
        crop = cv2.resize(crop, (INPUT_SIDE_PX, INPUT_SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)
