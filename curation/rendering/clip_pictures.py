"""Pictures of a clip: the square of each frame, scaled.

Most video is stored as luma and chroma of half the size. The square is cut out of these planes and scaled in them, for
the file of the clip stores the same; a detour over RGB takes three to ten times as long, and makes it a level darker.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from curation.media.convert import LazyImage, StoredPlanes
from curation.rendering.crop import Crop, part_within
from curation.rendering.picture_area import PictureArea, picture_area
from foundation.array_types import Float64Array, RgbImage, UInt8Array

if TYPE_CHECKING:
    from cv2.typing import MatLike

__all__ = ["ClipPictures"]

_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT

_BT709 = int(Colorspace.ITU709)

_LUMA_SHARES = {_BT709: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}
"""By matrix of H.273 (5 and 6 are BT.601), the shares of red and of blue in luma."""


class ClipPictures:
    """Makes the pictures of one clip; holds the tables of the scaler between frames."""

    def __init__(self, crop: Crop, out_px: int) -> None:
        """Take the square and the size of the clip, pixels."""
        self._crop, self._out_px = crop, out_px
        self._area: PictureArea | None = None
        self._scaler = VideoReformatter()

    def __call__(self, shown: LazyImage) -> RgbImage | VideoFrame:
        """Return the picture of the next frame, (out_px, out_px, 3) or 4:2:0 in BT.709, as `encode_mp4` takes it.

        The part of the frame that is picture is that of the first frame.
        """
        area = self._area = self._area or picture_area(shown.rgb)
        planes = shown.planes
        if planes is None or planes.matrix not in _LUMA_SHARES:
            return self._crop.image(shown.rgb, area, self._out_px)
        smaller = self._crop.size_px >= self._out_px
        scaled = self._scaler.reformat(
            self._square(planes, area),
            width=self._out_px,
            height=self._out_px,
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=(Interpolation.AREA if smaller else Interpolation.BICUBIC) | _EXACT,
            threads=1,
        )
        if planes.matrix != _BT709 or planes.full_range:
            _make_bt709(scaled, planes.matrix, full_range=planes.full_range)
        return scaled

    def _square(self, planes: StoredPlanes, area: PictureArea) -> VideoFrame:
        """Return the square of the stored planes, chroma of full size; outside the area its border is repeated."""
        import cv2

        size = self._crop.size_px
        left, right, columns = part_within(self._crop.x0_px, size, area.x0_px, area.x1_px)
        top, bottom, rows = part_within(self._crop.y0_px, size, area.y0_px, area.y1_px)
        square = VideoFrame(size, size, "yuv444p")
        parts = (planes.luma[rows, columns], *(_spread(plane, rows, columns) for plane in planes.chroma))
        for plane, part in zip(_planes(square), parts, strict=True):
            if left or right or top or bottom:
                plane[...] = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
            else:
                plane[...] = part
        return square


def _spread(chroma: UInt8Array, rows: slice, columns: slice) -> UInt8Array:
    """Return chroma at pixels of luma, each sample at its two by two pixels."""
    import cv2

    part = chroma[rows.start // 2 : -(-rows.stop // 2), columns.start // 2 : -(-columns.stop // 2)]
    twice = cv2.resize(part, (2 * part.shape[1], 2 * part.shape[0]), interpolation=cv2.INTER_NEAREST)
    pixels = twice[rows.start % 2 :, columns.start % 2 :]
    return np.asarray(pixels[: rows.stop - rows.start, : columns.stop - columns.start], np.uint8)


def _planes(frame: VideoFrame) -> list[UInt8Array]:
    """Return the planes of a frame, to be written."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    ]


def _make_bt709(frame: VideoFrame, matrix: int, *, full_range: bool) -> None:
    """Change the luma and chroma of a 4:2:0 frame to those of BT.709 in limited range."""
    import cv2

    luma, blue, red = _planes(frame)
    change = _to_bt709(matrix, full_range=full_range)

    def of_chroma(row: int, zero: float, depth: int) -> "MatLike":
        by_blue, by_red = (float(number) for number in change[row, 1:])
        return cv2.addWeighted(blue, by_blue, red, by_red, zero - 128.0 * (by_blue + by_red), dtype=depth)

    added = cv2.resize(of_chroma(0, 0.0, cv2.CV_32F), luma.shape[::-1], interpolation=cv2.INTER_NEAREST)
    scale, black = float(change[0, 0]), 0.0 if full_range else 16.0
    luma[...] = cv2.addWeighted(luma, scale, added, 1.0, 16.0 - scale * black, dtype=cv2.CV_8U)
    blue[...], red[...] = of_chroma(1, 128.0, cv2.CV_8U), of_chroma(2, 128.0, cv2.CV_8U)


@lru_cache(maxsize=4)
def _to_bt709(matrix: int, *, full_range: bool) -> Float64Array:
    """Return (3, 3): from luma above black and both chroma, 8-bit levels, to those of BT.709 in limited range."""
    limited = np.diag([219.0, 224.0, 224.0])
    stored = np.diag([255.0, 255.0, 255.0]) if full_range else limited
    change: Float64Array = limited @ _of_rgb(_BT709) @ np.linalg.inv(stored @ _of_rgb(matrix))
    return change


def _of_rgb(matrix: int) -> Float64Array:
    """Return (3, 3): luma from 0 to 1 and both chroma from -0.5 to 0.5 of R, G and B from 0 to 1 (H.273)."""
    red, blue = _LUMA_SHARES[matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    return np.stack([luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)])
