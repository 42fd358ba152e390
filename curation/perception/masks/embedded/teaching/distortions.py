"""What cameras, rooms and head turns do to a picture, masked or not."""

import dataclasses

import cv2
import numpy as np

from curation.perception.masks.embedded.teaching.faces import FacePicture
from curation.perception.masks.embedded.teaching.paint import AnyFloats
from foundation.array_types import Float32Array, RgbImage

__all__ = ["photograph", "turn_head"]


def turn_head(face: FacePicture, rng: np.random.Generator) -> FacePicture:
    """Return the face mirrored or not, tilted, and as if lowered or raised: one end of the picture shrinks."""
    side = face.picture.shape[0]
    picture, points = face.picture, face.landmarks_px
    pitch, turn, roll = rng.normal(0, 0.08), rng.normal(0, 0.05), rng.normal(0, 0.12)
    squeeze = rng.uniform(0.8, 1.1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    moved = corners * np.array([1.0, squeeze])
    moved = moved * (1 + pitch * corners[:, 1:] + turn * corners[:, :1])
    moved = moved @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    half = side / 2
    matrix = cv2.getPerspectiveTransform(corners * half + half, (moved * half + half).astype(np.float32))
    warped = cv2.warpPerspective(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    moved_points = np.asarray(cv2.perspectiveTransform(points[None].astype(np.float64), matrix))[0].astype(np.float32)
    return dataclasses.replace(face, picture=np.asarray(warped, np.uint8), landmarks_px=moved_points)


def photograph(picture: Float32Array, rng: np.random.Generator) -> RgbImage:
    """Return the picture as a camera might have stored it: light, colour, blur, motion, small size, noise, JPEG."""
    shot: AnyFloats = picture
    if rng.random() < 0.7:
        shot = np.clip(shot, 0, 1) ** rng.uniform(0.6, 1.7) * rng.uniform(0.75, 1.15)
    # A picture that is dark already would show nothing at all.
    if rng.random() < 0.15 and float(picture.mean()) > 0.2:
        shot = shot * rng.uniform(0.15, 0.5)
    if rng.random() < 0.6:
        shot = shot * np.exp(rng.normal(0, 0.09, 3))
    if rng.random() < 0.15:
        shot = shot + (shot.mean(axis=2, keepdims=True) - shot) * rng.uniform(0.3, 1.0)
    shot = np.clip(shot, 0, 1).astype(np.float32)
    if rng.random() < 0.25:
        shot = _motion_blur(shot, int(rng.integers(2, 14)), float(rng.uniform(0, np.pi)))
    if rng.random() < 0.3:
        shot = np.asarray(cv2.GaussianBlur(shot, (0, 0), float(rng.uniform(0.3, 2.2))), np.float32)
    if rng.random() < 0.3:
        shot = _small(shot, int(rng.integers(28, 90)))
    if rng.random() < 0.5:
        shot = shot + rng.normal(0, rng.uniform(0.005, 0.05), shot.shape)
    levels = np.asarray(shot, np.float32)
    stored = np.round(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return _jpeg(stored, int(rng.integers(25, 95))) if rng.random() < 0.5 else stored


def _motion_blur(picture: AnyFloats, length_px: int, angle: float) -> Float32Array:
    """Return the picture smeared over `length_px` pixels in one direction."""
    kernel = np.zeros((length_px, length_px), np.float32)
    middle = (length_px - 1) / 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(round(float(v)) for v in (middle - reach, middle + reach)[i]) for i in range(2)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)


def _small(picture: AnyFloats, side_px: int) -> Float32Array:
    """Return the picture as it looks when its square was only `side_px` wide."""
    side = picture.shape[0]
    small = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _jpeg(picture: RgbImage, quality: int) -> RgbImage:
    """Return the picture after JPEG compression."""
    _, packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
