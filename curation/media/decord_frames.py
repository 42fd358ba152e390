"""Frames of a video decoded by decord: the file has to be one of those that `decoders` admits."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from curation.media.container import best_video_stream, open_media, packets
from curation.media.convert import LazyImage
from curation.media.display_shape import DisplayShape
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.media.tick_pairing import StoredFrame
from foundation.array_types import Float64Array, Int64Array, RgbImage
from foundation.errors import GaiaError
from foundation.packages import import_package
from manifests.timeline import TICK_RATE_HZ

__all__ = ["DecordError", "DecordReader", "decord_frames"]


class DecordError(GaiaError):
    """decord cannot read a file, or a frame of it."""


class DecordReader:
    """decord's reader of a file: frames by number."""

    def __init__(self, path: Path, n_threads: int) -> None:
        """Open the file.

        Raises:
            MissingPackageError: decord is not installed.
            DecordError: it cannot read the file.
        """
        decord = import_package("decord")
        decord.logging.set_level(decord.logging.QUIET)
        # it raises a RuntimeError of its own for a file, its DECORDError for a frame
        self._errors = (RuntimeError, decord.DECORDError)
        with self._own_errors():
            self._video = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0), num_threads=n_threads)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._video)

    def times_s(self) -> Float64Array:
        """Return the (N,) times of all frames after the first; exact to the 24 bits of decord's own numbers."""
        with self._own_errors():
            spans_s = np.asarray(self._video.get_frame_timestamp(np.arange(len(self))), np.float64)
        starts_s: Float64Array = spans_s[:, 0] - spans_s[0, 0]
        return starts_s

    def frame(self, number: int) -> RgbImage:
        """Return a frame, (H, W, 3), in memory of its own.

        Raises:
            DecordError: it cannot be decoded.
        """
        with self._own_errors():
            rgb: RgbImage = self._video[number].asnumpy()
        return rgb

    def key_frames(self) -> Int64Array:
        """Return the numbers of the key frames."""
        return np.asarray(self._video.get_key_indices(), np.int64)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            # a message begins with the time of day and a line of decord's source
            message = re.sub(r"^\s*(\[[\d:]+\])? ?/\S+: (\[[^]]*\])?", "", str(error).strip().partition("\n")[0])
            raise DecordError(message) from error


class _DecordImage(LazyImage):
    """The image of a frame that decord decodes when it is asked for."""

    def __init__(self, reader: DecordReader, number: int, shape: DisplayShape) -> None:
        super().__init__(shape)
        self._reader = reader
        self._number = number

    def release(self) -> None:
        """Do nothing: to decode the frame again would take long."""

    @property
    def held_bytes(self) -> int:
        """Memory of the RGB image, bytes."""
        width, height = self.shape.size_px
        return 3 * width * height

    def _displayed(self) -> RgbImage:
        return self._reader.frame(self._number)


def decord_frames(info: VideoInfo, first_tick: int, settings: MediaSettings) -> Generator[StoredFrame]:
    """Yield the frames of a video that decord is right for, from the last one before `first_tick` on."""
    pts = _pts(info)
    reader = DecordReader(info.path, settings.decode_threads)
    shape = DisplayShape(info.width_px, info.height_px, 0, flipped=False)
    first_pts = info.first_pts + int(first_tick / TICK_RATE_HZ / info.time_base)
    begin = int(np.searchsorted(pts, first_pts, "right")) - 1
    for number in range(max(0, begin), len(pts)):
        yield StoredFrame(pts=int(pts[number]), frame=partial(_DecordImage, reader, number, shape))


def _pts(info: VideoInfo) -> Int64Array:
    """Return the (N,) exact times of all frames, units of `info.time_base`: decord's own are rounded."""
    with open_media(info.path) as container:
        stream = best_video_stream(container, info.path)
        stamps = [packet.pts for packet in packets(container, stream) if packet.size and packet.pts is not None]
    return np.sort(np.array(stamps, np.int64))
