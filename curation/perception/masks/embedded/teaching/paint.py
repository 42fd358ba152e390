"""Painting on images of faces: cloth, outlines and light. Images here are float32 RGB from 0 to 1."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array

__all__ = ["AnyFloats", "blend", "cloth", "cloth_colour", "fill", "room_light", "smooth_noise", "smooth_outline"]

AnyFloats = npt.NDArray[np.floating]
"""Input of the painting functions, of any precision; their results are float32."""

_SURGICAL = ((0.45, 0.68, 0.85), (0.55, 0.78, 0.90), (0.35, 0.60, 0.75), (0.50, 0.78, 0.68), (0.92, 0.94, 0.95))

_PATTERNS = ("plain", "weave", "stripes", "checks", "dots", "blots", "logo")


def smooth_noise(rng: np.random.Generator, side_px: int, cells: int) -> Float32Array:
    """Return (side_px, side_px) noise from about 0 to 1 that varies over `side_px / cells` pixels."""
    coarse = rng.random((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.float32)


def cloth_colour(rng: np.random.Generator, skin: AnyFloats) -> Float32Array:
    """Return the (3,) colour of a piece of cloth: surgical, white, black, grey, near the `skin`, or any."""
    kind = rng.choice(["surgical", "white", "black", "grey", "skin", "any"], p=[0.28, 0.15, 0.15, 0.07, 0.1, 0.25])
    if kind == "surgical":
        colour = np.array(_SURGICAL[rng.integers(len(_SURGICAL))]) + rng.normal(0, 0.03, 3)
    elif kind == "white":
        colour = np.full(3, rng.uniform(0.8, 1.0)) + rng.normal(0, 0.015, 3)
    elif kind == "black":
        colour = np.full(3, rng.uniform(0.03, 0.16)) + rng.normal(0, 0.01, 3)
    elif kind == "grey":
        colour = np.full(3, rng.uniform(0.2, 0.75)) + rng.normal(0, 0.015, 3)
    elif kind == "skin":
        colour = skin * rng.uniform(0.7, 1.3) + rng.normal(0, 0.04, 3)
    else:
        hsv = np.array([[[rng.uniform(0, 360), rng.uniform(0.2, 1.0), rng.uniform(0.15, 1.0)]]], np.float32)
        colour = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))[0, 0]
    return np.clip(colour, 0.02, 1.0).astype(np.float32)


def cloth(rng: np.random.Generator, side_px: int, colour: AnyFloats, second: AnyFloats) -> Float32Array:
    """Return a (side_px, side_px, 3) sheet of cloth of one colour, or printed with a second one."""
    pattern = str(rng.choice(_PATTERNS, p=[0.35, 0.15, 0.1, 0.1, 0.1, 0.12, 0.08]))
    ink = _ink(rng, side_px, pattern)[..., None]
    sheet = colour * (1 - ink) + second * ink
    grain = rng.normal(0, rng.uniform(0.0, 0.03), (side_px, side_px, 1))
    folds = 0.85 + 0.3 * smooth_noise(rng, side_px, int(rng.integers(4, 12)))[..., None]
    return np.clip((sheet + grain) * folds, 0, 1).astype(np.float32)


def _ink(rng: np.random.Generator, side_px: int, pattern: str) -> Float32Array:
    """Return the (side_px, side_px) coverage by the second colour of a print, 0 to 1."""
    if pattern == "plain":
        return np.zeros((side_px, side_px), np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 20)
    y, x = np.mgrid[:side_px, :side_px].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    wave_u, wave_v = np.sin(2 * np.pi * along / period), np.sin(2 * np.pi * across / period)
    if pattern == "weave":
        ink = 0.15 * (np.sin(2 * np.pi * along / 3) * np.sin(2 * np.pi * across / 3) > 0)
    elif pattern == "stripes":
        ink = wave_u > rng.uniform(-0.5, 0.7)
    elif pattern == "checks":
        ink = 0.5 * (wave_u > 0) + 0.5 * (wave_v > 0)
    elif pattern == "dots":
        ink = wave_u * wave_v > rng.uniform(0.3, 0.7)
    elif pattern == "blots":
        ink = smooth_noise(rng, side_px, int(rng.integers(8, 30))) > rng.uniform(0.45, 0.65)
    else:
        sheet = np.zeros((side_px, side_px), np.uint8)
        word = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(1, 7))))
        origin = (int(rng.uniform(0.3, 0.5) * side_px), int(rng.uniform(0.55, 0.75) * side_px))
        cv2.putText(sheet, word, origin, cv2.FONT_HERSHEY_DUPLEX, float(rng.uniform(0.3, 0.8)), 255, 2, cv2.LINE_AA)
        ink = sheet / 255.0
    return np.asarray(ink, np.float32)


def smooth_outline(corners: Sequence[Float32Array] | Float32Array, roundness: float) -> Float32Array:
    """Return a closed outline of (120, 2) points through the corners, rounded by up to `roundness` of its length."""
    closed = np.vstack([*corners, corners[0]]).astype(np.float64)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], 121)[:-1]
    dense = np.stack([np.interp(at, lengths, closed[:, axis]) for axis in range(2)], axis=1)
    sigma = max(roundness * len(dense), 1e-3)
    offsets = np.arange(-20, 21)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.vstack([dense[-20:], dense, dense[:20]])
    rounded = np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(2)], axis=1)
    return rounded.astype(np.float32)


def fill(outline_px: AnyFloats, side_px: int, blur_px: float) -> Float32Array:
    """Return the (side_px, side_px) coverage of a closed outline, its edge softened by `blur_px`."""
    alpha = np.zeros((side_px, side_px), np.uint8)
    fixed = np.round(outline_px * 16).astype(np.int32)
    cv2.fillPoly(alpha, [fixed], 255, cv2.LINE_AA, 4)
    soft = alpha.astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(soft, (0, 0), blur_px) if blur_px > 0.2 else soft, np.float32)


def blend(image: AnyFloats, over: AnyFloats, alpha: AnyFloats) -> Float32Array:
    """Return the image with `over` on top of it where `alpha` (H, W) is 1."""
    return np.asarray(image + (over - image) * alpha[..., None], np.float32)


def room_light(image: Float32Array, rng: np.random.Generator, skin: AnyFloats) -> Float32Array:
    """Return (H, W, 1) the brightness of an object in front of the face, in dark rooms and in side light."""
    coarse = cv2.resize(image.mean(axis=2), (8, 8), interpolation=cv2.INTER_AREA)
    luma = np.asarray(cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    level = np.clip(float(skin.mean()) / 0.5, 0.2, 1.2) ** rng.uniform(0.5, 1.1)
    shape = (luma / max(float(luma.mean()), 1e-3)) ** rng.uniform(0.0, 0.6)
    return np.asarray(level * np.clip(shape, 0.5, 1.5), np.float32)[..., None]
