"""Random access to clips: bytes of a tar member, its picture and sound."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from foundation.errors import ProblemsFoundError
from manifests.arrays import Float32Array, RgbImage
from manifests.files import MemberRange
from manifests.storage import is_address, is_remote, read_range

__all__ = ["ClipVideo", "MediaError", "member_name_at", "read_audio", "read_frames", "read_member", "sha256_of"]

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


def read_member(dataset: Path, media: str, where: MemberRange) -> bytes:
    """Return the bytes `where` of the tar `media`, a path relative to the dataset; of a remote one no others are read.

    Raises:
        MediaError: the tar is missing, outside the dataset, or ends before the range does.
    """
    path = _tar(dataset, media)
    if where.offset < 0 or where.size < 0:
        raise MediaError(f"{path}: the byte range {where.offset}+{where.size} is negative")
    try:
        content = read_range(path, where.offset, where.size)
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror or error}") from error
    if len(content) < where.size:
        raise MediaError(f"{path}: the byte range {where.offset}+{where.size} goes past the end of the tar")
    return content


def member_name_at(dataset: Path, media: str, where: MemberRange) -> str | None:
    """Return the name of the tar member whose content is exactly `where`; None where no member begins and ends so.

    Raises:
        MediaError: the tar cannot be read.
    """
    if where.offset < _BLOCK:
        return None
    block = read_member(dataset, media, MemberRange(offset=where.offset - _BLOCK, size=_BLOCK))
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        return None
    return header.name if header.size == where.size else None


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


def _tar(dataset: Path, media: str) -> Path:
    path = dataset / media
    if is_remote(dataset):  # there are no links, and keys are what they are called
        if ".." in media.split("/") or media.startswith("/") or is_address(media):
            raise MediaError(f"{media} lies outside the dataset")
        return path
    if not path.resolve().is_relative_to(dataset.resolve()):
        raise MediaError(f"{media} lies outside the dataset")
    return path
