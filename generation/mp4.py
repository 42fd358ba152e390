"""Write the video file: frames by curation's encoder, audio as AAC, and tags that declare it AI-generated."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from heapq import merge
from io import BytesIO
from typing import TYPE_CHECKING

import av
import numpy as np

from curation.media.encode import encode_mp4
from foundation.array_types import Float32Array, RgbImage
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["talking_mp4"]

_AUDIO_BITS_PER_S = 128_000

_BLOCK = 1024
"""Samples of a frame of AAC."""


def talking_mp4(
    frames: Iterable[RgbImage],
    size_px: int,
    audio: Float32Array | None,
    rate_hz: int,
    tags: Mapping[str, str],
    *,
    height_px: int | None = None,
) -> bytes:
    """Return a 25 fps H.264 MP4 with AAC audio; the same arguments give the same bytes.

    Args:
        frames: (height_px, size_px, 3) each, at least one.
        size_px: width, even.
        audio: (S,) mono in -1 to 1 from the first frame on, cut or filled with silence to the length of the frames;
            None: no audio.
        rate_hz: of `audio`, such as 48000.
        tags: metadata of the container; MP4 shows `comment`, `description` and `title`.
        height_px: even; None: the width.
    """
    buffer = BytesIO()
    with (
        av.open(BytesIO(encode_mp4(frames, size_px, height_px=height_px)), "r") as encoded,
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
