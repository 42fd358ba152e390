"""Files with sound made on the spot: any channels, several tracks, time stamps as a bad recorder writes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from foundation.array_types import Float32Array


def as_stamped(_packet: int, time_s: float) -> float:
    """Return the time of a packet unchanged."""
    return time_s


@dataclass(frozen=True, kw_only=True)
class MadeTrack:
    """A sound track: (C, S) samples in -1 to 1."""

    samples: Float32Array
    layout: str = "mono"
    codec: str = "aac"
    rate_hz: int = 48_000
    stamp: Callable[[int, float], float | None] = as_stamped
    """The time that is written for a packet, by its number and its right time, seconds; None leaves it out."""
    is_default: bool = False


def write_sound(
    path: Path, tracks: Sequence[MadeTrack], *, pictures_s: float = 0.0, muxer_options: dict[str, str] | None = None
) -> Path:
    """Write a file with `tracks`, and grey pictures at 25 a second for `pictures_s`."""
    with av.open(str(path), "w", options=muxer_options or {}) as output:
        video = output.add_stream("mpeg4", rate=25) if pictures_s else None
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        streams = [output.add_stream(track.codec, rate=track.rate_hz, layout=track.layout) for track in tracks]
        for stream, track in zip(streams, tracks, strict=True):
            if track.is_default:
                stream.disposition = Disposition.default
        packets = []
        if video is not None:
            for number in range(round(pictures_s * 25)):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                packets += video.encode(frame)
            packets += video.encode(None)
        for stream, track in zip(streams, tracks, strict=True):
            packets += _encoded(stream, track)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def _encoded(stream: av.AudioStream, track: MadeTrack) -> list[av.Packet]:
    planar = stream.codec_context.format.is_planar
    kind = stream.codec_context.format.name
    samples = track.samples
    if kind[0] == "s":
        bits = int(kind[1:3])
        samples = np.rint(samples.astype(np.float64) * (2 ** (bits - 1) - 1)).astype(f"int{bits}")
    encoded = []
    for start in range(0, samples.shape[1], 1024):
        block = samples[:, start : start + 1024]
        block = np.ascontiguousarray(block if planar else block.T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, format=kind, layout=track.layout)
        frame.rate, frame.pts, frame.time_base = track.rate_hz, start, Fraction(1, track.rate_hz)
        encoded += stream.encode(frame)
    encoded += stream.encode(None)
    kept, before = [], None
    for number, packet in enumerate(encoded):
        time_s = track.stamp(number, float(packet.pts * packet.time_base))
        if time_s is None:
            continue
        stamp = round(time_s / packet.time_base)
        before = stamp if before is None else max(stamp, before + 1)
        packet.pts = packet.dts = before
        kept.append(packet)
    return kept
