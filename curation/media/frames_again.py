"""Pictures of a video that were decoded before, not kept, and are needed after all."""

from collections.abc import Generator

from curation.media.convert import LazyImage
from curation.media.display_shape import DisplayShape
from curation.media.errors import MediaError
from curation.media.frames import TickFrame, tick_frames
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from foundation.array_types import RgbImage

__all__ = ["FramesAgain"]

_MOST_SKIPPED_TICKS = 25
"""Ticks that are decoded for nothing rather than opening the file once more at a later key frame."""


class FramesAgain:
    """Second decoding of a video; ticks that are asked for in ascending order are decoded in one pass."""

    def __init__(self, info: VideoInfo, settings: MediaSettings) -> None:
        """Open nothing yet."""
        self._info, self._settings = info, settings
        self._frames: Generator[TickFrame] | None = None
        self._next_tick = 0
        self._last: tuple[int, LazyImage] | None = None

    def at(self, tick: int, shape: DisplayShape) -> LazyImage:
        """Return the image that the video shows at a tick, which is decoded when it is looked at."""
        return _ImageAgain(shape, self, tick)

    def close(self) -> None:
        """Free what the decoder holds; the next picture opens the file again."""
        if self._frames is not None:
            self._frames.close()
        self._frames = self._last = None

    def decoded(self, tick: int) -> LazyImage:
        """Return the image of a tick, decoded.

        Raises:
            MediaError: the file can no longer be opened, or does not show now what it showed before.
        """
        if self._last is not None and self._last[0] == tick:
            return self._last[1]
        if self._frames is None or not 0 <= tick - self._next_tick <= _MOST_SKIPPED_TICKS:
            self.close()
            self._frames = _generator(self._info, tick, self._settings)
            self._next_tick = tick
        for frame in self._frames:
            self._next_tick = frame.tick + 1
            if frame.tick < tick:
                continue
            if frame.shown is None:
                break
            self._last = tick, frame.shown
            return frame.shown
        raise MediaError("unreadable", f"{self._info.path}: tick {tick} cannot be decoded a second time")


def _generator(info: VideoInfo, first_tick: int, settings: MediaSettings) -> Generator[TickFrame]:
    yield from tick_frames(info, first_tick, info.n_ticks, settings)


class _ImageAgain(LazyImage):
    """The image of a frame that is decoded a second time, when it is looked at, and then kept as it is decoded."""

    def __init__(self, shape: DisplayShape, again: FramesAgain, tick: int) -> None:
        super().__init__(shape)
        self._again = again
        self._tick = tick
        self._decoded: LazyImage | None = None

    @property
    def rgb(self) -> RgbImage:
        return self._image().rgb

    def release(self) -> None:
        """Free the RGB image; the decoded frame stays."""
        if self._decoded is not None:
            self._decoded.release()

    @property
    def held_bytes(self) -> int:
        """Memory of the frame if it was decoded, bytes."""
        return 0 if self._decoded is None else self._decoded.held_bytes

    def _image(self) -> LazyImage:
        if self._decoded is None:
            self._decoded = self._again.decoded(self._tick)
        return self._decoded

    def _displayed(self) -> RgbImage:
        return self._image().rgb
