"""Pictures and sound of a result video on the clock of 25 ticks a second, as the paper's videos and metrics have it.

The picture of a tick is the one that is shown at its time, counted from the first picture on. So a video of 25 pictures
a second has one tick for each; of 30 a second every sixth is left out, and of 12.5 each is taken twice.

Shapes: T ticks, H rows, W columns.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foundation.array_types import Float32Array, RgbImage, UInt8Array
from foundation.errors import UsageError
from foundation.storage.digest import file_sha256
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

__all__ = ["ResultVideo", "UnreadableVideoError", "chunks", "first_picture", "mono_sound", "read_facts"]

_CHUNK_TICKS = 25
"""Pictures that are in memory at once, of each video."""

_LARGEST_PX = 4096

_LONGEST_S = 3600
"""Pictures that the time stamps of a damaged file leave apart would otherwise be repeated for days."""

_ROUNDING_S = Fraction(1, 500)
"""A picture that begins this much after a tick is shown at it: containers round time stamps to milliseconds."""


class UnreadableVideoError(UsageError):
    """A video cannot be decoded, or is too large."""

    def __init__(self, path: str | Path, reason: str) -> None:
        """Make the error.

        Args:
            path: the video.
            reason: what is wrong with it, a sentence that begins with `it` or `its`.
        """
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultVideo:
    """A video that can be read."""

    path: Path
    sha256: str
    width_px: int
    """As displayed."""
    height_px: int
    fps: Fraction | None
    """As the file says."""
    has_sound: bool


def read_facts(path: Path) -> ResultVideo:
    """Return what the header of a video says, and the digest of the file.

    Raises:
        UnreadableVideoError: it has no picture that can be decoded, or is too large.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        picture = next(_frames(container), None)
        if picture is None:
            raise UnreadableVideoError(path, "it has no picture")
        width, height = picture.width, picture.height
        if picture.rotation % 180:
            width, height = height, width
        facts = ResultVideo(
            path=path,
            sha256=file_sha256(path),
            width_px=width,
            height_px=height,
            fps=stream.guessed_rate or stream.average_rate,
            has_sound=bool(container.streams.audio),
        )
    if max(width, height) > _LARGEST_PX:
        raise UnreadableVideoError(path, f"it has {width}x{height} pixels, and {_LARGEST_PX} a side are possible")
    return facts


def chunks(video: ResultVideo, width_px: int, height_px: int) -> Iterator[UInt8Array]:
    """Yield the pictures of a video in stretches of 25 ticks, the last one shorter: (T, H, W, 3), RGB.

    Args:
        video: of `read_facts`.
        width_px: to which pictures are scaled, bicubically.
        height_px: likewise.

    Raises:
        UnreadableVideoError: it cannot be decoded to its end.
    """
    chunk: list[RgbImage] = []
    with _opened(video.path) as container:
        for frame, n_ticks in _shown(container, video.fps):
            if not n_ticks:
                continue
            picture = _picture(frame, width_px, height_px)
            for _ in range(n_ticks):
                chunk.append(picture)
                if len(chunk) == _CHUNK_TICKS:
                    yield np.stack(chunk)
                    chunk = []
    if chunk:
        yield np.stack(chunk)


def first_picture(path: Path) -> RgbImage:
    """Return the first picture of a video, or a picture of any format that FFmpeg reads, in its own size.

    Raises:
        UnreadableVideoError: there is none, or it is too large.
    """
    with _opened(path) as container:
        for frame in _frames(container):
            if max(frame.width, frame.height) > _LARGEST_PX:
                raise UnreadableVideoError(path, f"it has {frame.width}x{frame.height} pixels")
            turned = frame.rotation % 180
            width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
            return _picture(frame, width, height)
    raise UnreadableVideoError(path, "it has no picture")


def mono_sound(video: ResultVideo, n_ticks: int) -> Float32Array | None:
    """Return the sound of the first ticks, 16 kHz, mono, the first sample at the first picture; None without a track.

    Raises:
        UnreadableVideoError: it cannot be decoded to its end.
    """
    import av

    if not video.has_sound:
        return None
    samples = np.zeros(int(n_ticks * AUDIO_RATE_HZ / TICK_RATE_HZ), np.float32)
    with _opened(video.path) as container:
        begin_s = next((_time_s(container, frame) for frame in _frames(container)), Fraction(0))
        container.seek(0)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=AUDIO_RATE_HZ)
        at = None
        try:
            for frame in container.decode(audio=0):
                if at is None:
                    stamp_s = Fraction(frame.pts or 0) * (frame.time_base or Fraction(0))
                    at = round((stamp_s - begin_s) * AUDIO_RATE_HZ)
                for block in resampler.resample(frame):
                    at = _placed(samples, at, block.to_ndarray()[0])
                if at >= len(samples):
                    break
            else:
                for block in resampler.resample(None):
                    at = _placed(samples, at or 0, block.to_ndarray()[0])
        except av.FFmpegError as error:
            raise UnreadableVideoError(video.path, f"its sound cannot be decoded: {error.strerror}") from error
    return samples


def _placed(samples: Float32Array, at: int, block: Float32Array) -> int:
    """Write a block at its place, as far as it lies within; return the place of the next one."""
    first, end = max(at, 0), min(at + len(block), len(samples))
    if end > first:
        samples[first:end] = block[first - at : end - at]
    return at + len(block)


def _opened(path: Path) -> "InputContainer":
    import av

    try:
        container = av.open(str(path), mode="r")
    except (av.FFmpegError, OSError) as error:
        raise UnreadableVideoError(path, f"it cannot be opened: {error.strerror or error}") from error
    if not container.streams.video:
        container.close()
        raise UnreadableVideoError(path, "it has no pictures")
    return container


def _frames(container: "InputContainer") -> "Iterator[VideoFrame]":
    import av

    container.streams.video[0].thread_type = "AUTO"
    try:
        yield from container.decode(video=0)
    except (av.FFmpegError, OSError) as error:
        raise UnreadableVideoError(container.name, f"it cannot be decoded: {error.strerror or error}") from error


def _shown(container: "InputContainer", fps: Fraction | None) -> "Iterator[tuple[VideoFrame, int]]":
    """Yield every picture with the number of ticks at which it is shown."""
    before: VideoFrame | None = None
    begin_s, before_s, n_done = Fraction(0), Fraction(0), 0
    last_s = 1 / (fps or TICK_RATE_HZ)
    for frame in _frames(container):
        time_s = _time_s(container, frame)
        if before is None:
            begin_s = time_s
        else:
            n_until = _ticks_before(container, time_s - begin_s)
            yield before, max(n_until - n_done, 0)
            n_done = max(n_until, n_done)
        before, before_s = frame, time_s
    if before is not None:
        yield before, max(_ticks_before(container, before_s + last_s - begin_s) - n_done, 0 if n_done else 1)


def _ticks_before(container: "InputContainer", time_s: Fraction) -> int:
    if time_s > _LONGEST_S:
        raise UnreadableVideoError(container.name, f"it has more than {_LONGEST_S // 60} minutes")
    return math.ceil((time_s - _ROUNDING_S) * TICK_RATE_HZ)


def _time_s(container: "InputContainer", frame: "VideoFrame") -> Fraction:
    if frame.pts is None or frame.time_base is None:
        raise UnreadableVideoError(container.name, "its pictures have no times")
    return frame.pts * frame.time_base


def _picture(frame: "VideoFrame", width_px: int, height_px: int) -> RgbImage:
    """Return a picture as displayed, (H, W, 3)."""
    turns = frame.rotation // 90 % 4
    size = (height_px, width_px) if turns % 2 else (width_px, height_px)
    picture = np.asarray(frame.reformat(*size, format="rgb24", interpolation="BICUBIC").to_ndarray(), np.uint8)
    return np.rot90(picture, turns) if turns else picture
