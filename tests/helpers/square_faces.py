"""Videos of a bright square that moves, and face models that take it for a face: every figure is known beforehand."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array, RgbImage
from helpers.made_videos import Coding, Sound, frame_times, write_video
from training.evaluation.face_models import FaceReader

SIDE = 64

PIXEL = Coding(options={"preset": "veryfast", "crf": "4"})
"""Pictures come back almost as they were."""


def square_picture(x: int | None, level: int = 60, side: int = SIDE) -> RgbImage:
    """A grey picture with a white square of 8 pixels whose left border is at `x`; None: without a square."""
    picture = np.full((side, side, 3), level, np.uint8)
    if x is not None:
        picture[28:36, x : x + 8] = 255
    return picture


class SquareFaces:
    """Face models whose landmarks lie around the middle of the square."""

    scheme = "ibug68"
    finder = "square"
    shapes: Mapping[str, tuple[int, ...]] = {"landmarks": (68, 2), "pose": (3,), "points68": (68, 2), "dlib": (3,)}
    unavailable: Mapping[str, str] = {"arcface": "there is no such file"}

    def __init__(self) -> None:
        self.digest = "square 1"
        self.n_read = 0

    def reader(self) -> FaceReader:
        """One for all videos: it knows nothing of earlier pictures."""
        return self._read

    def _read(self, frame: RgbImage) -> Mapping[str, Float32Array]:
        self.n_read += 1
        bright = np.argwhere(frame.min(axis=-1) > 160)
        if not len(bright):
            return {part: np.full(shape, np.nan, np.float32) for part, shape in self.shapes.items()}
        y, x = bright.mean(axis=0) + 0.5
        points = np.stack([x + 10 * np.cos(np.arange(68)), y + 10 * np.sin(np.arange(68))], axis=1).astype(np.float32)
        wall = float(frame[:8, :8].mean())
        return {
            "landmarks": points,
            "points68": points,
            "pose": np.array([x, 0.0, 0.0], np.float32),
            "dlib": np.array([wall, 60.0, 0.0], np.float32),
        }


def square_video(
    path: Path,
    positions: list[int | None],
    *,
    fps: Fraction = Fraction(25),
    level: int = 60,
    side: int = SIDE,
    sound: Sound | None = None,
) -> Path:
    """Write a video of squares at given positions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [square_picture(x, level, side) for x in positions]
    return write_video(path, frame_times(fps, len(positions)), pictures, coding=replace(PIXEL, rate=fps), sound=sound)
