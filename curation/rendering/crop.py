"""The square that a clip shows of its source: fixed for the clip, the face in its middle (GAIA appendix A.1)."""

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from curation.rendering.picture_area import PictureArea
from foundation.array_types import Float32Array, RgbImage
from foundation.settings import Settings
from manifests.limits import MAX_CLIP_PX

__all__ = ["Crop", "CropSettings", "choose_crop", "part_within"]


class CropSettings(Settings):
    """Settings of the crop of clips."""

    size_px: int = Field(default=256, ge=64, le=MAX_CLIP_PX, multiple_of=2)
    """Width and height of the clip, pixels (GAIA appendix B.1: 256 by 256 for all settings). Landmarks of a clip are in
    these pixels; trainers scale both to the size of their network. Narrower faces than `face_ratio` of it are upscaled:
    larger clips need larger limits of the rule `small_face`."""
    face_ratio: float = Field(default=0.5, gt=0.1, le=0.9)
    """Width of the face over width of the clip, the same in every clip. Ours: hair, chin and a wide open mouth stay
    inside; the HDTF clips are cropped like this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crop:
    """A square of whole source pixels: columns ``[x0, x0 + size)`` and rows ``[y0, y0 + size)``."""

    x0_px: int
    y0_px: int
    size_px: int

    def image(self, frame: RgbImage, area: PictureArea, out_px: int) -> RgbImage:
        """Return the (out_px, out_px, 3) image of the square; outside `area` its border is repeated."""
        import cv2

        left, right, columns = part_within(self.x0_px, self.size_px, area.x0_px, area.x1_px)
        top, bottom, rows = part_within(self.y0_px, self.size_px, area.y0_px, area.y1_px)
        square = frame[rows, columns]
        if left or right or top or bottom:
            square = np.pad(square, ((top, bottom), (left, right), (0, 0)), mode="edge")
        smaller = self.size_px >= out_px
        return np.asarray(
            cv2.resize(square, (out_px, out_px), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC),
            dtype=np.uint8,
        )

    def points(self, points_px: Float32Array, out_px: int) -> Float32Array:
        """Return (..., 2) points of the source frame in pixels of the clip."""
        origin = np.array([self.x0_px, self.y0_px], dtype=np.float32)
        return ((points_px - origin) * np.float32(out_px / self.size_px)).astype(np.float32)


def part_within(start: int, size: int, first: int, end: int) -> tuple[int, int, slice]:
    """Return how many pixels of ``[start, start + size)`` lie before and after ``[first, end)``, and those within.

    One pixel of the border is there even where the two do not meet.
    """
    inside = slice(min(max(start, first), end - 1), max(min(start + size, end), first + 1))
    n_inside = inside.stop - inside.start
    before = min(max(0, inside.start - start), size - n_inside)
    return before, size - n_inside - before, inside


def choose_crop(box_px: Float32Array, settings: CropSettings) -> Crop:
    """Return the square around the median face of a clip.

    Args:
        box_px: (N, 4) rectangles around the landmarks x0, y0, x1, y1, source pixels.
        settings: names the ratio of face to frame.

    >>> choose_crop(np.array([[100, 40, 200, 180]], np.float32), CropSettings())
    Crop(x0_px=50, y0_px=10, size_px=200)
    """
    x0, y0, x1, y1 = np.median(box_px, axis=0)
    size = max(2, round(float(np.median(box_px[:, 2] - box_px[:, 0])) / settings.face_ratio))
    return Crop(x0_px=round((x0 + x1 - size) / 2), y0_px=round((y0 + y1 - size) / 2), size_px=size)
