"""Augmentation: head turns, light and camera faults on an image of a face, masked or not."""

import dataclasses

import cv2
import numpy as np

from curation.perception.masks.embedded.teaching.faces import FaceImage
from curation.perception.masks.embedded.teaching.paint import AnyFloats
from foundation.array_types import Float32Array, RgbImage

__all__ = ["photograph", "turn_head"]


def turn_head(face: FaceImage, rng: np.random.Generator) -> FaceImage:
    """Return the face mirrored or not, tilted, and as if lowered or raised: one end of the image shrinks."""
    side = face.image.shape[0]
    image, points = face.image, face.landmarks_px
    pitch, turn, roll = rng.normal(0, 0.08), rng.normal(0, 0.05), rng.normal(0, 0.12)
    squeeze = rng.uniform(0.8, 1.1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    new_corners = corners * np.array([1.0, squeeze])
    new_corners = new_corners * (1 + pitch * corners[:, 1:] + turn * corners[:, :1])
    new_corners = new_corners @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    half = side / 2
    matrix = cv2.getPerspectiveTransform(corners * half + half, (new_corners * half + half).astype(np.float32))
    result = cv2.warpPerspective(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    new_points = np.asarray(cv2.perspectiveTransform(points[None].astype(np.float64), matrix))[0].astype(np.float32)
    return dataclasses.replace(face, image=np.asarray(result, np.uint8), landmarks_px=new_points)


def photograph(image: Float32Array, rng: np.random.Generator) -> RgbImage:
    """Return the image as a camera might have stored it: light, colour, blur, motion, small size, noise, JPEG."""
    shot: AnyFloats = image
    if rng.random() < 0.7:
        shot = np.clip(shot, 0, 1) ** rng.uniform(0.6, 1.7) * rng.uniform(0.75, 1.15)
    # An image that is dark already would become black.
    if rng.random() < 0.15 and float(image.mean()) > 0.2:
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
    rgb = np.round(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return _jpeg(rgb, int(rng.integers(25, 95))) if rng.random() < 0.5 else rgb


def _motion_blur(image: AnyFloats, length_px: int, angle: float) -> Float32Array:
    """Return the image smeared over `length_px` pixels in one direction."""
    kernel = np.zeros((length_px, length_px), np.float32)
    middle = (length_px - 1) / 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(round(float(v)) for v in (middle - reach, middle + reach)[i]) for i in range(2)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)


def _small(image: AnyFloats, side_px: int) -> Float32Array:
    """Return the image as it looks if its square was `side_px` wide in the source."""
    side = image.shape[0]
    small = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _jpeg(image: RgbImage, quality: int) -> RgbImage:
    """Return the image after JPEG compression."""
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
