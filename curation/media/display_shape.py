"""Shape in which a decoded frame is displayed: its turn and flip, and its size with square pixels.

Every frame has its own. A stream may change its size, its pixel aspect or its orientation between two frames: a phone
that is turned during a call, a broadcast that goes from 16:9 to 4:3.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.container import MOST_PIXELS, exact, packets
from curation.media.errors import MediaError

__all__ = ["DisplayShape", "DisplayShapes", "first_shown"]

_MOST_STRETCHED = 8
"""Largest ratio of a pixel's sides; a header with a larger one is damaged."""

_ASPECT_STEPS = 1024
"""Width that stands for an aspect of 1 where FFmpeg's scaler shows the aspect of a frame."""

_WITH_MESSAGES = frozenset({"h264", "hevc"})
"""Codecs whose key frames may carry a display orientation."""


@dataclass(frozen=True, slots=True)
class DisplayShape:
    """Orientation and size of a frame as displayed."""

    width_px: int
    """Of the upright frame with square pixels, as `height_px`."""
    height_px: int
    rotation_deg: int
    """Counterclockwise turn that makes the stored frame upright, after the flip: 0, 90, 180 or 270."""
    flipped: bool
    """The stored frame is turned upside down as a mirror does, before it is rotated."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return (self.width_px, self.height_px)

    @property
    def is_as_stored(self) -> bool:
        """Whether the frame is upright as it is stored."""
        return not (self.rotation_deg or self.flipped)

    @property
    def stored_size_px(self) -> tuple[int, int]:
        """Width and height with square pixels before the frame is turned upright."""
        return (self.height_px, self.width_px) if self.rotation_deg in (90, 270) else self.size_px


class DisplayShapes:
    """Finds the display shape of the frames of one stream."""

    def __init__(self, stream: VideoStream) -> None:
        """Take the stream before its first frame is decoded."""
        self._codec = stream.codec_context
        stated, coded = exact(stream.sample_aspect_ratio), exact(self._codec.sample_aspect_ratio)
        # A container's own pixel aspect holds for all frames, whatever the codec says of each.
        self._stated = stated if stated and stated != coded else None
        self._aspects = [coded or Fraction(1)]
        """All that the decoder has named so far, each once."""
        self._reader = _AspectReader()
        self._orientation = (0, False)
        """Turn and flip of the frame before."""
        self._stated_rotation: float | None = None
        """What PyAV says of the frame before; it does not tell flips."""
        self._has_messages = self._codec.name in _WITH_MESSAGES

    def __call__(self, frame: VideoFrame) -> DisplayShape:
        """Return the shape of a frame, given all frames of the stream in the order in which they are shown."""
        # Side data and frame refer to each other, so that the memory of a frame whose side data were read is returned
        # late: a sixth of the time of decoding. They are read where they can be others.
        rotation = frame.rotation
        if rotation != self._stated_rotation or (frame.key_frame and self._has_messages):
            self._stated_rotation = rotation
            self._read_orientation(frame)
        return _shape(frame.width, frame.height, self._stated or self._aspect(frame), self._orientation)

    def _read_orientation(self, frame: VideoFrame) -> None:
        matrix = _matrix(frame)
        # A message in H.264 or HEVC is about the frames up to the next key frame (repetition period 1); FFmpeg attaches
        # it to the first of them alone. A matrix of a container is attached to all.
        if matrix is not None:
            self._orientation = _orientation(matrix)
        elif frame.key_frame:
            self._orientation = (0, False)

    def _aspect(self, frame: VideoFrame) -> Fraction:
        """Return the pixel aspect of a frame.

        PyAV shows that of the decoder alone, which is ahead of the frames that wait to be output in their order. It is
        read from the frames themselves as soon as there are several.
        """
        named = exact(self._codec.sample_aspect_ratio) or Fraction(1)
        if named not in self._aspects:
            self._aspects.append(named)
        if len(self._aspects) == 1:
            return named
        read = self._reader(frame)
        return min(self._aspects, key=lambda aspect: abs(aspect - read))


def first_shown(container: InputContainer, stream: VideoStream, path: Path) -> tuple[VideoFrame, DisplayShape]:
    """Decode up to the first frame that the decoder does not mark as damaged; without one, return the first frame.

    Raises:
        MediaError: `unreadable` where no frame can be decoded.
    """
    shapes = DisplayShapes(stream)
    damaged: VideoFrame | None = None
    problem, hint = "its decoder returns no frame", ""
    for packet in packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, av.ArgumentError):  # as FFmpeg refuses a size
                hint = f"; it may have more than {MOST_PIXELS:,} pixels"
            problem = f"{error}{hint}"
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame) and not frame.is_corrupt:
                return frame, shapes(frame)
            damaged = damaged or (frame if isinstance(frame, VideoFrame) else None)
    if damaged is None:
        raise MediaError(
            "unreadable", f"{path}: no frame of the {stream.codec_context.name} track can be decoded: {problem}"
        )
    return damaged, shapes(damaged)


class _AspectReader:
    """Reads the pixel aspect that a frame carries, through FFmpeg's scaler, whose expressions can name it."""

    def __init__(self) -> None:
        self._graph: tuple[tuple[int, int, str], av.filter.Graph] | None = None

    def __call__(self, frame: VideoFrame) -> Fraction:
        """Return the aspect to about a thousandth; 1 where the frame has none."""
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._graph[0] != shape:
            side = min(16, frame.width, frame.height)
            self._graph = (shape, _graph(frame, side))
        graph = self._graph[1]
        graph.vpush(frame)
        return Fraction(graph.vpull().width, _ASPECT_STEPS)


def _graph(frame: VideoFrame, side: int) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    corner = graph.add("crop", f"{side}:{side}:0:0")
    width = f"min({_MOST_STRETCHED * _ASPECT_STEPS},max(1,round(sar*{_ASPECT_STEPS})))"
    scaled = graph.add("scale", f"w='{width}':h=16:flags=fast_bilinear:eval=frame")
    sink = graph.add("buffersink")
    source.link_to(corner)
    corner.link_to(scaled)
    scaled.link_to(sink)
    graph.configure()
    return graph


@lru_cache(maxsize=16)
def _shape(width: int, height: int, pixel_aspect: Fraction, orientation: tuple[int, bool]) -> DisplayShape:
    """Return the shape of a stored frame of `width` by `height` pixels.

    The width is scaled and the height kept, so that no line is invented or lost.

    Args:
        width: of the stored frame, pixels.
        height: likewise.
        pixel_aspect: width over height of a stored pixel; one that cannot be is taken for square.
        orientation: turn and flip of `DisplayShape`.
    """
    rotation_deg, flipped = orientation
    if not Fraction(1, _MOST_STRETCHED) <= pixel_aspect <= _MOST_STRETCHED:
        pixel_aspect = Fraction(1)
    if width * pixel_aspect * height > MOST_PIXELS:
        pixel_aspect = Fraction(1)
    square = max(1, round(width * pixel_aspect)), height
    shown = square[::-1] if rotation_deg in (90, 270) else square
    return DisplayShape(*shown, rotation_deg, flipped)


def _matrix(frame: VideoFrame) -> bytes | None:
    """Return the display matrix of a frame; None where it has none."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    return bytes(side_data) if isinstance(side_data, SideData) else None


@lru_cache(maxsize=16)
def _orientation(matrix: bytes) -> tuple[int, bool]:
    """Return turn and flip of `DisplayShape` by a display matrix.

    A point (p, q) of the stored frame is shown at (a p + c q, b p + d q) for the matrix a, b, u, c, d, v, x, y, w
    (ISO/IEC 14496-12, 6.2.2), x to the right and y down. The nearest of the eight upright positions is taken, because
    a face in a frame at another angle would be cut or shrunk. A matrix that would show nothing is ignored.
    """
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).tolist()
    determinant = a * d - b * c
    if not determinant:
        return 0, False
    # without the flip, which reverses q, it is a rotation: both of its columns tell the angle
    upright = 1 if determinant > 0 else -1
    clockwise_deg = math.degrees(math.atan2(b - upright * c, a + upright * d))
    return round(-clockwise_deg / 90) * 90 % 360, determinant < 0
