"""Decoding of clips: frames from an MP4 file, audio from a FLAC file, both in memory."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import ProblemsFoundError
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["ClipVideo", "MediaError", "frames_at", "read_audio", "read_frames", "sha256_of"]


_MAX_DECODED_STEP = 6
"""Largest step between two frames that is decoded through instead of sought: clips have a key frame every 12 frames at
least, so a seek decodes 5.5 frames on average."""


class MediaError(ProblemsFoundError):
    """A clip's bytes cannot be read or decoded; the message has the position and the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipVideo:
    """Video of a clip while it is decoded."""

    rate_hz: Fraction | None
    """Average frame rate; None if the file does not state it."""
    frames: Iterator[RgbImage]
    """(H, W, 3) RGB frames; an iterator, to be used once."""


def read_frames(mp4: bytes) -> ClipVideo:
    """Decode all frames of a clip in presentation order, one after another.

    Raises:
        MediaError: the video cannot be decoded to its end; also raised by the iterator of the frames.
    """
    import av

    try:
        with av.open(io.BytesIO(mp4), mode="r") as container:
            if not container.streams.video:
                raise MediaError("the clip has no video stream")
            stated = container.streams.video[0].average_rate
            # PyAV 19 returns a class of its own, and 0 where 18 returns None
            rate_hz = Fraction(stated.numerator, stated.denominator) if stated else None
    except av.FFmpegError as error:
        raise MediaError(f"the video cannot be opened: {error}") from error
    return ClipVideo(rate_hz=rate_hz, frames=_frames(mp4))


def _frames(mp4: bytes) -> Iterator[RgbImage]:
    import av

    try:
        with av.open(io.BytesIO(mp4), mode="r") as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except av.FFmpegError as error:
        raise MediaError(f"the video cannot be decoded: {error}") from error


def frames_at(
    mp4: bytes, numbers: Sequence[int], size_px: int | None = None, *, clip_px: int | None = None
) -> npt.NDArray[np.uint8]:
    """Decode some frames of a clip.

    Args:
        mp4: a clip as `curation` writes it: frame k at k / 25 s, no B-frames.
        numbers: (n,) frames, in ascending order, counted from 0.
        size_px: height and width of the returned images; None: those of the clip. A size below that of the clip
            averages over areas, one above it interpolates linearly.
        clip_px: height and width that the clip must have, for landmarks are in its pixels; None: any.

    Returns:
        (n, size_px, size_px, 3) RGB.

    Raises:
        MediaError: a frame is missing or damaged, or the clip has another size.
    """
    import av

    try:
        with av.open(io.BytesIO(mp4), mode="r") as container:
            if not container.streams.video:
                raise MediaError("the clip has no video stream")
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            width, height = stream.codec_context.width, stream.codec_context.height
            if clip_px is not None and (width, height) != (clip_px, clip_px):
                raise MediaError(f"the video is {width}x{height} px, not {clip_px}x{clip_px} as its dataset says")
            width, height = (width, height) if size_px is None else (size_px, size_px)
            images = np.empty((len(numbers), height, width, 3), np.uint8)
            step = round(1 / (TICK_RATE_HZ * (stream.time_base or 1)))
            frames = container.decode(stream)
            last = -1
            for image, number in zip(images, numbers, strict=True):
                if number - last > _MAX_DECODED_STEP:
                    container.seek(number * step, stream=stream)
                    frames = container.decode(stream)
                frame = _frame_at(frames, number * step)
                if frame is None:
                    raise MediaError(f"the video has no frame {number}")
                if frame.is_corrupt:
                    raise MediaError(f"the video is damaged at frame {number}, or shortly before")
                image[:] = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
                last = number
    except av.FFmpegError as error:
        raise MediaError(f"the video cannot be decoded: {error}") from error
    return images


def _frame_at(frames: "Iterator[VideoFrame]", pts: int) -> "VideoFrame | None":
    """Return the frame at `pts`, or a damaged frame before it that it may depend on; None if there is no such frame."""
    for frame in frames:
        if frame.pts is not None and (frame.is_corrupt or frame.pts >= pts):
            return frame if frame.is_corrupt or frame.pts == pts else None
    return None


def read_audio(flac: bytes) -> tuple[Float32Array, int]:
    """Decode the audio of a clip: (S,) samples, -1 to 1, and their rate in Hz.

    Raises:
        MediaError: the audio is not mono, or cannot be decoded to its end.
    """
    import av

    try:
        with av.open(io.BytesIO(flac), mode="r") as container:
            if not container.streams.audio:
                raise MediaError("the clip has no audio stream")
            stream = container.streams.audio[0]
            if stream.channels != 1:
                raise MediaError(f"the audio has {stream.channels} channels; clips are mono")
            resampler = av.AudioResampler(format="flt", layout="mono")
            blocks = [
                block.to_ndarray()[0]
                for frame in (*container.decode(audio=0), None)
                for block in resampler.resample(frame)
            ]
            return np.concatenate(blocks or [np.zeros(0)]).astype(np.float32, copy=False), stream.rate
    except av.FFmpegError as error:
        raise MediaError(f"the audio cannot be decoded: {error}") from error


def sha256_of(content: bytes) -> str:
    """Return the sha256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()
