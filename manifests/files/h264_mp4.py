"""H.264 in MP4, the same bytes for the same frames: in memory, with sound laid beside it, or as the frames come."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from heapq import merge
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from foundation.array_types import Float32Array, RgbImage
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

__all__ = ["h264_mp4", "with_sound", "write_mp4"]

_AUDIO_BITS_PER_S = 128_000

_BLOCK = 1024
"""Samples of a frame of AAC."""


def h264_mp4(
    frames: Iterable[RgbImage | VideoFrame],
    size_px: int,
    *,
    crf: int,
    preset: str,
    key_frame_every: int,
    height_px: int | None = None,
) -> bytes:
    """Return `frames` as a 25 fps H.264 MP4: yuv420p, BT.709, limited range, frame k at exactly k/25 s.

    No B-frames, so that decoding order is presentation order and no edit list or delay shifts frame 0; one thread and
    no dates or version tags, so that the same frames give the same bytes.

    Args:
        frames: (height_px, size_px, 3) each, or pictures of that size as the file has them; at least one.
        size_px: width; even, as chroma is stored at half the size.
        crf: constant rate factor of x264; less is better.
        preset: of x264, such as `veryfast`.
        key_frame_every: frames from one key frame to the next, at most.
        height_px: even; None: the width.

    Raises:
        ValueError: no frame, a frame of another shape, or an odd `size_px` or `height_px`.
    """
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact", "use_editlist": "0"}) as output:
        stream = _h264(output, size_px, height_px, crf=crf, preset=preset, key_frame_every=key_frame_every)
        for packet in chain.from_iterable(_encoded(stream, frames)):
            output.mux(packet)
    return buffer.getvalue()


def write_mp4(
    file: BinaryIO,
    frames: Iterable[RgbImage],
    size_px: int,
    *,
    crf: int,
    preset: str,
    key_frame_every: int,
    height_px: int | None = None,
    audio: Float32Array | None,
    rate_hz: int,
    tags: Mapping[str, str],
) -> None:
    """Write `frames` with sound, each as soon as it comes: however long the video, a second or two of it is in memory.

    The file is that of `with_sound` of `h264_mp4` of the same arguments, but for four bytes: the average bit rate that
    the track of pictures declares is not known beforehand and is left 0. The index comes last, so that a file without
    its end cannot be played.

    Args:
        file: open for writing, and for seeking in what was written.
        frames: (height_px, size_px, 3) each, at least one.
        size_px: as of `h264_mp4`, as are `crf`, `preset`, `key_frame_every` and `height_px`.
        crf: likewise.
        preset: likewise.
        key_frame_every: likewise.
        height_px: likewise.
        audio: as of `with_sound`, as are `rate_hz` and `tags`.
        rate_hz: likewise.
        tags: likewise.

    Raises:
        ValueError: as by `h264_mp4`.
        OSError: the file cannot be written.
    """
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        output.metadata.update(tags)
        stream = _h264(output, size_px, height_px, crf=crf, preset=preset, key_frame_every=key_frame_every)
        sound = None if audio is None else _Sound(output, audio, rate_hz)
        n_frames = 0
        for n_frames, video_packets in enumerate(_encoded(stream, frames)):
            output.mux(video_packets)
            if sound is not None:
                output.mux([*sound.until(Fraction(n_frames) / TICK_RATE_HZ)])
        if sound is not None:
            output.mux([*sound.end(Fraction(n_frames) / TICK_RATE_HZ)])


def _h264(
    output: "OutputContainer", size_px: int, height_px: int | None, *, crf: int, preset: str, key_frame_every: int
) -> "VideoStream":
    """Add a track of pictures, see `h264_mp4`."""
    height_px = size_px if height_px is None else height_px
    for name, side in (("size_px", size_px), ("height_px", height_px)):
        if side <= 0 or side % 2:
            raise ValueError(f"{name} is {side}; H.264 with half-size chroma needs an even number, such as 256")
    stream = output.add_stream(
        "libx264",
        rate=TICK_RATE_HZ,
        options={"crf": str(crf), "preset": preset, "g": str(key_frame_every), "bf": "0", "flags": "+bitexact"},
    )
    stream.width, stream.height = size_px, height_px
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = 1 / TICK_RATE_HZ
    # H.273: 1 is BT.709 for matrix, transfer and primaries
    context.colorspace = context.color_trc = context.color_primaries = 1
    context.color_range = ColorRange.MPEG
    return stream


def _encoded(stream: "VideoStream", frames: Iterable[RgbImage | VideoFrame]) -> "Iterator[list[Packet[VideoStream]]]":
    """Yield what each frame makes the encoder give out, and then what it has kept: one list more than frames.

    Raises:
        ValueError: there is no frame, or one of another shape.
    """
    n_frames = 0
    for frame in frames:
        encoded = _yuv(frame, stream.width, stream.height, n_frames)
        encoded.color_trc, encoded.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
        encoded.pict_type = PictureType.NONE
        encoded.pts, encoded.time_base = n_frames, 1 / TICK_RATE_HZ
        yield stream.encode(encoded)
        n_frames += 1
    if not n_frames:
        raise ValueError("there is no frame to encode")
    yield stream.encode(None)


def _yuv(frame: RgbImage | VideoFrame, width_px: int, height_px: int, number: int) -> VideoFrame:
    if isinstance(frame, VideoFrame):
        found = (frame.format.name, frame.width, frame.height)
        if found != ("yuv420p", width_px, height_px):
            raise ValueError(f"frame {number} is {found}; give {('yuv420p', width_px, height_px)}")
        return frame
    if frame.shape != (height_px, width_px, 3) or frame.dtype != np.uint8:
        raise ValueError(
            f"frame {number} is {frame.dtype} of shape {frame.shape}; give uint8 of shape {(height_px, width_px, 3)}"
        )
    return VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
        threads=1,
    )


def with_sound(mp4: bytes, audio: Float32Array | None, rate_hz: int, tags: Mapping[str, str]) -> bytes:
    """Return a video of `h264_mp4` with AAC audio and tags; the same arguments give the same bytes.

    Args:
        mp4: its pictures are copied.
        audio: (S,) mono in -1 to 1 from the first frame on, cut or filled with silence to the length of the frames;
            None: no audio.
        rate_hz: of `audio`, such as 48000.
        tags: metadata of the container; MP4 shows `comment`, `description` and `title`.
    """
    buffer = BytesIO()
    with (
        av.open(BytesIO(mp4), "r") as encoded,
        av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as output,
    ):
        output.metadata.update(tags)
        stream = encoded.streams.video[0]
        video = output.add_stream_from_template(stream)
        duration_s = Fraction(stream.frames) / TICK_RATE_HZ
        sound = () if audio is None else _Sound(output, audio, rate_hz).end(duration_s)
        video_packets = _copied(encoded, video)
        for packet in merge(video_packets, sound, key=_seconds):
            output.mux(packet)
    return buffer.getvalue()


class _Sound:
    """A track of AAC that grows."""

    def __init__(self, output: "OutputContainer", audio: Float32Array, rate_hz: int) -> None:
        """Add the track; see `with_sound`."""
        self._audio, self._rate_hz = audio, rate_hz
        self._stream = output.add_stream("aac", rate=rate_hz, layout="mono", options={"flags": "+bitexact"})
        self._stream.bit_rate = _AUDIO_BITS_PER_S
        self._stream.codec_context.format = "fltp"
        self._n_given = 0

    def until(self, end_s: Fraction) -> "Iterator[Packet[Any]]":
        """Yield the packets of whole blocks before a time, those that were not yielded before."""
        while self._n_given + _BLOCK <= int(end_s * self._rate_hz):
            yield from self._block(_BLOCK)

    def end(self, duration_s: Fraction) -> "Iterator[Packet[Any]]":
        """Yield the other packets of a track of a length, and end it."""
        yield from self.until(duration_s)
        rest = int(duration_s * self._rate_hz) - self._n_given
        if rest:
            yield from self._block(rest)
        yield from self._stream.encode(None)

    def _block(self, n_samples: int) -> "list[Packet[AudioStream]]":
        heard = self._audio[self._n_given : self._n_given + n_samples]
        samples = np.zeros((1, n_samples), np.float32)
        samples[0, : len(heard)] = heard
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = self._rate_hz, self._n_given, Fraction(1, self._rate_hz)
        self._n_given += n_samples
        return self._stream.encode(frame)


def _copied(container: "InputContainer", stream: "Stream") -> "Iterator[Packet[Any]]":
    """Yield the packets of a container, assigned to `stream`."""
    for packet in container.demux():
        if packet.dts is not None:  # the one that ends a track is empty
            packet.stream = stream
            yield packet


def _seconds(packet: "Packet[Any]") -> Fraction:
    return Fraction(packet.dts or 0) * (packet.time_base or Fraction(0))
