"""Decoding of clips: frames from an MP4 file, audio from a FLAC file, both in memory.

The bytes may come from anyone. They are opened as what a clip holds and nothing else: one container format, one codec,
no address, and no more frames, pixels or samples than the schema allows.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from foundation.array_types import Float32Array, RgbImage
from manifests.errors import MediaError
from manifests.files.mp4_frames import FrameTable, frame_table
from manifests.files.mp4_header import stated_frames
from manifests.limits import MAX_CLIP_PX, MAX_CLIP_SAMPLES
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__ = ["ClipVideo", "MediaError", "frames_at", "read_audio", "read_frames", "sha256_of"]


_MAX_DECODED_STEP = 6
"""Largest step between two frames that is decoded through instead of sought: clips have a key frame every 12 frames at
least, so a seek decodes 5.5 frames on average."""

_NO_PROTOCOL = {"protocol_whitelist": "none"}
"""Options of FFmpeg: no address inside the bytes is opened."""

_OF_MP4 = {**_NO_PROTOCOL, "codec_whitelist": "h264", "max_pixels": str(MAX_CLIP_PX**2)}
"""The limit of pixels holds for the frames that are decoded while the file is opened."""

_OF_FLAC = {**_NO_PROTOCOL, "codec_whitelist": "flac"}


_DECODERS = 4

_decoders: "dict[bytes, VideoCodecContext]" = {}
"""By their parameters, decoders that wait for a clip. The clips of a dataset share their parameters as a rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipVideo:
    """Video of a clip while it is decoded."""

    rate_hz: Fraction | None
    """Average frame rate; None if the file does not state it."""
    stated_frames: int
    """Frames that the file's header states."""
    frames: Iterator[RgbImage]
    """(H, W, 3) RGB frames; an iterator, to be used once."""


@contextmanager
def _opened(content: bytes, what: str) -> "Iterator[InputContainer]":
    """Open the bytes of a clip's file; `what` is video or audio.

    Raises:
        MediaError: they are no file of the format that clips have; also in place of any error of FFmpeg in the block.
    """
    import av

    container_format, options = ("mov", _OF_MP4) if what == "video" else ("flac", _OF_FLAC)
    try:
        container = av.open(io.BytesIO(content), mode="r", format=container_format, options=options)
    except (av.FFmpegError, ValueError) as error:  # ValueError: tags that are no text
        raise MediaError(f"the {what} cannot be opened: {error}") from error
    try:
        with container:
            yield container
    except MediaError:
        raise
    except (av.FFmpegError, ValueError) as error:  # ValueError: frames that differ in their number of channels
        raise MediaError(f"the {what} cannot be decoded: {error}") from error


@contextmanager
def _opened_video(mp4: bytes) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """Open the video of a clip and return its stream, whose decoder accepts no larger frames than clips have."""
    with _opened(mp4, "video") as container:
        if not container.streams.video:
            raise MediaError("the clip has no video stream")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None or context.name != "h264":
            raise MediaError(f"the video is {'of an unknown codec' if context is None else context.name}, not h264")
        if max(context.width, context.height) > MAX_CLIP_PX:
            raise MediaError(
                f"the video is {context.width}x{context.height} px; clips have {MAX_CLIP_PX}x{MAX_CLIP_PX} at most"
            )
        context.options = {"max_pixels": _OF_MP4["max_pixels"]}
        yield container, stream


def read_frames(mp4: bytes) -> ClipVideo:
    """Decode all frames of a clip in presentation order, one after another.

    Raises:
        MediaError: the video cannot be decoded to its end, or is larger than clips are; also raised by the iterator of
            the frames.
    """
    n_frames = stated_frames(mp4)
    with _opened_video(mp4) as (_, stream):
        stated = stream.average_rate
        # PyAV 19 returns a class of its own, and 0 where 18 returns None
        rate_hz = Fraction(stated.numerator, stated.denominator) if stated else None
    return ClipVideo(rate_hz=rate_hz, stated_frames=n_frames, frames=_frames(mp4))


def _frames(mp4: bytes) -> Iterator[RgbImage]:
    with _opened_video(mp4) as (container, stream):
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False)


def frames_at(
    mp4: bytes, numbers: Sequence[int], size_px: int | None = None, *, clip_px: int | None = None
) -> npt.NDArray[np.uint8]:
    """Decode some frames of a clip.

    Args:
        mp4: a clip as `curation` writes it: frame k at k / 25 s, no B-frames.
        numbers: (n,) frames, in ascending order, counted from 0.
        size_px: height and width of the returned images; None: those of the clip. A size below that of the clip
            averages over areas, one above it interpolates linearly.
        clip_px: height and width that the clip must have, for landmarks are in its pixels; None: any that clips have.

    Returns:
        (n, size_px, size_px, 3) RGB.

    Raises:
        MediaError: a frame is missing or damaged, or the clip has another size.
    """
    n_frames = stated_frames(mp4)
    if len(numbers) and numbers[-1] >= n_frames:
        raise MediaError(f"the video has no frame {next(number for number in numbers if number >= n_frames)}")
    table = frame_table(mp4)
    if table is not None and max(table.width_px, table.height_px) <= MAX_CLIP_PX:
        images = _images(mp4, table, numbers, size_px, clip_px)
        if images is not None:
            return images
    return _demuxed_images(mp4, numbers, size_px, clip_px)


def _images(
    mp4: bytes, table: FrameTable, numbers: Sequence[int], size_px: int | None, clip_px: int | None
) -> npt.NDArray[np.uint8] | None:
    """Return frames of a clip that is as `curation` writes it; None where anything about it is in question."""
    import av

    size = (table.width_px, table.height_px)
    if clip_px is not None and size != (clip_px, clip_px):
        return None
    # taken out for as long as it is used, and put back where all went well
    decoder = _decoders.pop(table.extradata, None) or _decoder(table.extradata)
    width, height = size if size_px is None else (size_px, size_px)
    images = np.empty((len(numbers), height, width, 3), np.uint8)
    last, is_pure = -1, True
    try:
        for image, number in zip(images, numbers, strict=True):
            first = table.first_for(number)
            if last < 0 or first > last + 1:
                decoder.flush_buffers()
            begin = max(first, last + 1)
            for between, content in enumerate(table.frames(mp4, begin, number + 1), begin):
                is_pure = is_pure and table.is_pure(content)
                packet = av.Packet(content)
                packet.pts = between
                decoded = decoder.decode(packet)
                if len(decoded) != 1 or decoded[0].is_corrupt or decoded[0].pts != between:
                    return None
            frame = decoded[0]
            if last >= number or (frame.width, frame.height, frame.format.name) != (*size, "yuv420p"):
                return None
            image[:] = _rgb(frame, width, height)
            last = number
    except (av.FFmpegError, ValueError):
        return None
    if is_pure:
        _decoders[table.extradata] = decoder
        if len(_decoders) > _DECODERS:
            _decoders.clear()
    return images


def _decoder(extradata: bytes) -> "VideoCodecContext":
    import av

    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.extradata = extradata
    decoder.thread_type, decoder.thread_count = "NONE", 1
    decoder.options = {"max_pixels": _OF_MP4["max_pixels"]}
    return decoder


def _demuxed_images(
    mp4: bytes, numbers: Sequence[int], size_px: int | None, clip_px: int | None
) -> npt.NDArray[np.uint8]:
    """Return frames of any clip; see `frames_at`."""
    with _opened_video(mp4) as (container, stream):
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
            image[:] = _rgb(frame, width, height)
            last = number
    return images


def _rgb(frame: "VideoFrame", width: int, height: int) -> RgbImage:
    # one thread: by itself it starts one for each core, for each frame, which takes five times as long
    rgb = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA", threads=1)
    return np.asarray(rgb, np.uint8)


def _frame_at(frames: "Iterator[VideoFrame]", pts: int) -> "VideoFrame | None":
    """Return the frame at `pts`, or a damaged frame before it that it may depend on; None if there is no such frame."""
    for frame in frames:
        if frame.pts is not None and (frame.is_corrupt or frame.pts >= pts):
            return frame if frame.is_corrupt or frame.pts == pts else None
    return None


def read_audio(flac: bytes) -> tuple[Float32Array, int]:
    """Decode the audio of a clip: (S,) samples, -1 to 1, and their rate in Hz.

    Raises:
        MediaError: the audio is not mono, is longer than clips are, or cannot be decoded to its end.
    """
    import av

    with _opened(flac, "audio") as container:
        if not container.streams.audio:
            raise MediaError("the clip has no audio stream")
        stream = container.streams.audio[0]
        if stream.channels != 1:
            raise MediaError(f"the audio has {stream.channels} channels; clips are mono")
        resampler = av.AudioResampler(format="flt", layout="mono")
        # resampled after all are decoded: in turns, both take 13 % more time
        frames = (*_bounded(container.decode(stream)), None)
        blocks = [block.to_ndarray()[0] for frame in frames for block in resampler.resample(frame)]
        return np.concatenate(blocks or [np.zeros(0)]).astype(np.float32, copy=False), stream.rate


def _bounded(frames: "Iterator[AudioFrame]") -> "Iterator[AudioFrame]":
    """Yield the frames of a clip's audio, which are few enough for a clip.

    Raises:
        MediaError: there are more.
    """
    n_samples = 0
    for frame in frames:
        n_samples += frame.samples
        if n_samples > MAX_CLIP_SAMPLES:
            raise MediaError(f"the audio has more than {MAX_CLIP_SAMPLES:,} samples, the most that a clip has")
        yield frame


def sha256_of(content: bytes) -> str:
    """Return the sha256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()
