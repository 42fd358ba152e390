"""Random access to clips: bytes of a tar member, its picture and sound."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import ProblemsFoundError

__all__ = ["ClipVideo", "MediaError", "read_audio", "read_frames", "sha256_of"]

_BLOCK = tarfile.BLOCKSIZE


class MediaError(ProblemsFoundError):
    """A clip's bytes cannot be read or decoded; the message says where and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipVideo:
    """The picture of a clip."""

    rate_hz: Fraction | None
    """Average frame rate; None where the file does not tell."""
    frames: Iterator[RgbImage]
    """(H, W, 3) pictures; can be taken once."""


def read_frames(mp4: bytes) -> ClipVideo:
    """Decode a clip's pictures, in the order in which they are shown.

    Raises:
        MediaError: the bytes are no video that can be decoded to its end. Raised while the frames are taken, too.
    """
    import av

    try:
        with av.open(io.BytesIO(mp4), mode="r") as container:
            if not container.streams.video:
                raise MediaError("the clip has no video stream")
            rate_hz = container.streams.video[0].average_rate
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


def read_audio(flac: bytes) -> tuple[Float32Array, int]:
    """Return the (S,) samples of a clip, -1 to 1, and their rate in Hz.

    Raises:
        MediaError: the bytes are no mono sound that can be decoded to its end.
    """
    import av

    try:
        with av.open(io.BytesIO(flac), mode="r") as container:
            if not container.streams.audio:
                raise MediaError("the clip has no audio stream")
            stream = container.streams.audio[0]
            if stream.channels != 1:
                raise MediaError(f"the sound has {stream.channels} channels; clips are mono")
            resampler = av.AudioResampler(format="flt", layout="mono")
            blocks = [
                block.to_ndarray()[0]
                for frame in (*container.decode(audio=0), None)
                for block in resampler.resample(frame)
            ]
            return np.concatenate(blocks or [np.zeros(0)]).astype(np.float32, copy=False), stream.rate
    except av.FFmpegError as error:
        raise MediaError(f"the sound cannot be decoded: {error}") from error


def sha256_of(content: bytes) -> str:
    """Return the sha256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()
