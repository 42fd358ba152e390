"""Put generated faces back into the picture of the portrait, at their place and size.

The border of a generated frame fades into the picture, and its colours are moved by what the networks change of the
portrait's own colours at that border. The amount is one for the whole video, so that nothing flickers.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from curation.rendering.crop import Crop, part_within
from foundation.array_types import Float32Array, RgbImage

__all__ = ["LONGEST_PX", "Backdrop"]

LONGEST_PX = 1920
"""Longer side of a video; larger pictures are scaled down to it."""

_FEATHER = 0.15
"""Width of the border that fades, over that of the frame. The face has half of the frame in its middle."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Backdrop:
    """Picture of a portrait, and the square in it that generated frames cover."""

    picture: RgbImage
    """(H, W, 3), both even."""
    square: Crop
    """In pixels of `picture`; may reach beyond it."""
    colour_shift: Float32Array
    """(3,) levels that are added to red, green and blue of a frame."""

    @classmethod
    def of_portrait(
        cls, picture: RgbImage, crop: Crop, shown: RgbImage, made: RgbImage, *, longest_px: int | None = LONGEST_PX
    ) -> Self:
        """Prepare the picture of a portrait.

        Args:
            picture: (H, W, 3) of the file.
            crop: square around the face.
            shown: (S, S, 3) that square of the picture, as the networks got it.
            made: (S, S, 3) the same as the networks give it back, with the motion of the portrait itself.
            longest_px: longer side that larger pictures are scaled down to; None: they are left as they are.
        """
        import cv2

        height, width = picture.shape[:2]
        scale = 1.0 if longest_px is None else min(1.0, longest_px / max(height, width))
        width, height = (max(2, round(side * scale)) // 2 * 2 for side in (width, height))
        if scale < 1.0:
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        square = Crop(
            x0_px=round(crop.x0_px * scale),
            y0_px=round(crop.y0_px * scale),
            size_px=max(2, round(crop.size_px * scale)),
        )
        border = _weight(len(shown))[..., 0] < 1.0
        shift = (shown[border].astype(np.float32) - made[border]).mean(axis=0)
        return cls(picture=picture[:height, :width], square=square, colour_shift=shift)

    def in_picture(self, frame: RgbImage, picture: RgbImage) -> RgbImage:
        """Return another picture of the same place, of which an odd last row or column is left out, with a frame."""
        height, width = self.picture.shape[:2]
        return replace(self, picture=picture[:height, :width]).with_face(frame)

    def with_face(self, frame: RgbImage) -> RgbImage:
        """Return the (H, W, 3) picture with a generated frame, (S, S, 3), in its square."""
        import cv2

        size, (height, width) = self.square.size_px, self.picture.shape[:2]
        smaller = size <= len(frame)
        scaled = cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
        left, right, columns = part_within(self.square.x0_px, size, 0, width)
        top, bottom, rows = part_within(self.square.y0_px, size, 0, height)
        inside = np.s_[top : size - bottom, left : size - right]
        face = np.asarray(scaled, np.float32)[inside] + self.colour_shift
        weight = _weight(size)[inside]
        picture = self.picture.copy()
        behind = picture[rows, columns].astype(np.float32)
        picture[rows, columns] = np.rint(np.clip(behind + weight * (face - behind), 0.0, 255.0)).astype(np.uint8)
        return picture


def _weight(size_px: int) -> Float32Array:
    """Return the (size, size, 1) share of a frame in the picture: 1 in its middle, falling smoothly to its ends."""
    middles = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    rise = np.clip(np.minimum(middles, 1.0 - middles) / _FEATHER, 0.0, 1.0)
    smooth = rise * rise * (3.0 - 2.0 * rise)
    return (smooth[:, None] * smooth)[..., None].astype(np.float32)
