"""H.264 in MP4 in memory, the same bytes for the same frames, and sound laid beside it."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from heapq import merge
from io import BytesIO
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from foundation.array_types import Float32Array, RgbImage
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["h264_mp4", "with_sound"]

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
    height_px = size_px if height_px is None else height_px
    for name, side in (("size_px", size_px), ("height_px", height_px)):
        if side <= 0 or side % 2:
            raise ValueError(f"{name} is {side}; H.264 with half-size chroma needs an even number, such as 256")
    buffer = BytesIO()
    n_frames = 0
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact", "use_editlist": "0"}) as output:
        stream = output.add_stream(
            "libx264",
            rate=TICK_RATE_HZ,
            options={
                "crf": str(crf),
                "preset": preset,
                "g": str(key_frame_every),
                "bf": "0",
                "flags": "+bitexact",
            },
        )
        stream.width, stream.height = size_px, height_px
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        context.time_base = 1 / TICK_RATE_HZ
        # H.273: 1 is BT.709 for matrix, transfer and primaries
        context.colorspace = context.color_trc = context.color_primaries = 1
        context.color_range = ColorRange.MPEG
        for frame in frames:
            encoded = _yuv(frame, size_px, height_px, n_frames)
            encoded.color_trc, encoded.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
            encoded.pict_type = PictureType.NONE
            encoded.pts, encoded.time_base = n_frames, 1 / TICK_RATE_HZ
            output.mux(stream.encode(encoded))
            n_frames += 1
        output.mux(stream.encode(None))
    if not n_frames:
        raise ValueError("there is no frame to encode")
    return buffer.getvalue()


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
        audio_packets = (
            None if audio is None else _audio(output, audio, rate_hz, Fraction(stream.frames) / TICK_RATE_HZ)
        )
        video_packets = _copied(encoded, video)
        for packet in merge(video_packets, () if audio_packets is None else audio_packets, key=_seconds):
            output.mux(packet)
    return buffer.getvalue()


def _audio(
    output: "OutputContainer", audio: Float32Array, rate_hz: int, duration_s: Fraction
) -> "Iterator[Packet[Stream]]":
    """Add a track of `duration_s` seconds; return its packets, which end the track when they are taken."""
    n_samples = int(duration_s * rate_hz)
    samples = np.zeros(n_samples, np.float32)
    samples[: min(n_samples, len(audio))] = audio[:n_samples]
    stream = output.add_stream("aac", rate=rate_hz, layout="mono", options={"flags": "+bitexact"})
    stream.bit_rate = _AUDIO_BITS_PER_S
    stream.codec_context.format = "fltp"

    def packets() -> "Iterator[Packet[Stream]]":
        for offset in range(0, n_samples, _BLOCK):
            frame = av.AudioFrame.from_ndarray(samples[None, offset : offset + _BLOCK], format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = rate_hz, offset, Fraction(1, rate_hz)
            yield from stream.encode(frame)
        yield from stream.encode(None)

    return packets()


def _copied(container: "InputContainer", stream: "Stream") -> "Iterator[Packet[Stream]]":
    """Yield the packets of a container, assigned to `stream`."""
    for packet in container.demux():
        if packet.dts is not None:  # the one that ends a track is empty
            packet.stream = stream
            yield packet


def _seconds(packet: "Packet[Stream]") -> Fraction:
    return Fraction(packet.dts or 0) * (packet.time_base or Fraction(0))
