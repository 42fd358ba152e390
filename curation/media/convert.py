"""Conversion of decoded frames for display: upright, square pixels, progressive, 8-bit BT.709 RGB."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation, VideoReformatter

from curation.media.display_shape import DisplayShape
from foundation.array_types import RgbImage, UInt8Array

__all__ = ["DecodedImage", "FrameConverter", "LazyImage", "StoredPlanes", "is_hdr", "is_untagged"]

_UNSPECIFIED_MATRICES = frozenset({0, 2, 3})
"""AVColorSpace: RGB, unspecified, reserved."""

_PLAIN_FORMATS = frozenset({"yuv420p", "yuvj420p"})

_SCALER = Interpolation.BICUBIC
"""Without a change of size this is swscale's fast path, about 1 level off on average (docs/explanation/media.md)."""

_SHRINKER = Interpolation.AREA | Interpolation.FULL_CHR_H_INT
"""Means over areas, of colour too; about 1 level brighter than the means of the frame in RGB."""


class FrameConverter:
    """Converts the frames of one video; holds the scalers' tables between frames of one shape."""

    def __init__(self) -> None:
        self._scaler, self._shrinker = VideoReformatter(), VideoReformatter()
        self._fields: tuple[tuple[int, int, str], av.filter.Graph] | None = None

    def __call__(self, frame: VideoFrame, shape: DisplayShape) -> RgbImage:
        """Return the (H, W, 3) image as displayed, in memory of its own."""
        return self._converted(frame, shape, self._scaler, shape.stored_size_px, _SCALER)

    def thumbnail(self, frame: VideoFrame, shape: DisplayShape, width_px: int, height_px: int) -> RgbImage:
        """Return the complete frame as displayed, resized to (height_px, width_px), whatever its aspect.

        Made from the decoded frame, which takes a third to a sixth of what the same takes from its RGB.
        """
        size = (height_px, width_px) if shape.rotation_deg in (90, 270) else (width_px, height_px)
        return self._converted(frame, shape, self._shrinker, size, _SHRINKER)

    def _converted(
        self,
        frame: VideoFrame,
        shape: DisplayShape,
        scaler: VideoReformatter,
        size: tuple[int, int],
        interpolation: Interpolation,
    ) -> RgbImage:
        """Return the frame scaled to `size`, width and height before it is turned, and turned upright."""
        if frame.interlaced_frame:
            frame = self._top_field(frame)
        width, height = size
        hdr = is_hdr(frame)
        scaled = scaler.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=_matrix(frame),
            src_color_range=frame.color_range or ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=interpolation,
            dst_color_trc=ColorTrc.BT709 if hdr else None,
            dst_color_primaries=ColorPrimaries.BT709 if hdr else None,
            threads=1,
        )
        rgb: RgbImage = np.asarray(scaled.to_ndarray(), np.uint8)
        if shape.is_as_stored:
            return rgb  # with gaps between its lines: to close them would take as long as half of the conversion
        return np.ascontiguousarray(np.rot90(rgb[::-1] if shape.flipped else rgb, shape.rotation_deg // 90))

    def _top_field(self, frame: VideoFrame) -> VideoFrame:
        """Return the top field alone, half as high, so that no frame mixes two moments.

        One field, and no filter over neighbouring frames, because a frame must look the same whichever window of
        the video it was decoded for.
        """
        shape = (frame.width, frame.height, frame.format.name)
        if self._fields is None or self._fields[0] != shape:
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
            )
            field, sink = graph.add("field", "type=top"), graph.add("buffersink")
            source.link_to(field)
            field.link_to(sink)
            graph.configure()
            self._fields = (shape, graph)
        graph = self._fields[1]
        graph.vpush(frame)
        return graph.vpull()


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPlanes:
    """Luma and chroma of a frame as they are stored: views of 8 bits, chroma of half the size."""

    luma: UInt8Array
    """(H, W), upright, with square pixels."""
    chroma: tuple[UInt8Array, UInt8Array]
    """Blue and red difference, (ceil(H / 2), ceil(W / 2)) each."""
    matrix: int
    """By which they were made of RGB: AVColorSpace."""
    full_range: bool
    """Whether black is 0 and white 255, not 16 and 235."""


class LazyImage(ABC):
    """The image of a frame as displayed, made on first use."""

    def __init__(self, shape: DisplayShape) -> None:
        self.shape = shape

    @cached_property
    def rgb(self) -> RgbImage:
        """The (H, W, 3) image; always the same array."""
        return self._displayed()

    def thumbnail(self, width_px: int, height_px: int) -> RgbImage:
        """Return the complete frame resized to (height_px, width_px), whatever its aspect, averaged over areas."""
        import cv2

        small = cv2.resize(self.rgb, (width_px, height_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def release(self) -> None:  # noqa: B027 - an image that takes long to make is kept
        """Free what can be made again in little time; the image stays the same."""

    @property
    def planes(self) -> StoredPlanes | None:
        """The frame before its conversion; None where it is not displayed as it is stored, or stored in another way."""
        return None

    @property
    def held_bytes(self) -> int:
        """Memory that the frame takes now, bytes."""
        made: RgbImage | None = self.__dict__.get("rgb")
        return 0 if made is None else made.nbytes

    @abstractmethod
    def _displayed(self) -> RgbImage:
        """Return the (H, W, 3) image."""


class DecodedImage(LazyImage):
    """The image of a frame that PyAV decoded."""

    def __init__(self, frame: VideoFrame, shape: DisplayShape, convert: FrameConverter) -> None:
        super().__init__(shape)
        self._frame = frame
        self._convert = convert

    def thumbnail(self, width_px: int, height_px: int) -> RgbImage:
        """Return the complete frame resized to (height_px, width_px), whatever its aspect, averaged over areas."""
        if is_hdr(self._frame):  # tables for a second size would take seconds, too
            return super().thumbnail(width_px, height_px)
        return self._convert.thumbnail(self._frame, self.shape, width_px, height_px)

    def release(self) -> None:
        """Free the RGB image; the decoded frame stays."""
        self.__dict__.pop("rgb", None)

    @property
    def planes(self) -> StoredPlanes | None:
        """The frame before its conversion; None where it is not displayed as it is stored, or stored in another way."""
        frame = self._frame
        as_stored = self.shape.is_as_stored and self.shape.size_px == (frame.width, frame.height)
        if not as_stored or frame.format.name not in _PLAIN_FORMATS or frame.interlaced_frame or is_hdr(frame):
            return None
        luma, blue, red = (
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
            for plane in frame.planes
        )
        full_range = frame.color_range == ColorRange.JPEG
        return StoredPlanes(luma=luma, chroma=(blue, red), matrix=_matrix(frame), full_range=full_range)

    @property
    def held_bytes(self) -> int:
        """Memory of the decoded frame, and of its image if that is made, bytes."""
        return super().held_bytes + sum(plane.buffer_size for plane in self._frame.planes)

    def _displayed(self) -> RgbImage:
        return self._convert(self._frame, self.shape)


def is_hdr(frame: VideoFrame) -> bool:
    """Return whether a frame is coded for a high dynamic range, by PQ or HLG."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def is_untagged(frame: VideoFrame) -> bool:
    """Return whether nothing says by which matrix the colours of a frame were stored."""
    return frame.colorspace in _UNSPECIFIED_MATRICES


def _matrix(frame: VideoFrame) -> int:
    """Return the YUV matrix: the frame's own, or one by size as players choose it (BT.709 from 720 lines up)."""
    if not is_untagged(frame):
        return frame.colorspace
    return Colorspace.ITU709 if min(frame.width, frame.height) >= 720 else Colorspace.ITU601
