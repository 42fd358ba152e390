"""Single pictures of a clip's video: from the key frame before each, not from the start."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from manifests.media import MediaError
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av import VideoFrame

__all__ = ["frames_at"]

_DECODED_ON = 6
"""Frames that are decoded to reach the next picture before a seek is worth it: a key frame comes every 12 at least, so
a seek costs 5.5 on average."""


def frames_at(mp4: bytes, numbers: Sequence[int], size_px: int) -> npt.NDArray[np.uint8]:
    """Decode some pictures of a clip.

    Args:
        mp4: a clip as `curation` wrote it: frame k at k / 25 s, no B-frames.
        numbers: (n,) frames, rising.
        size_px: height and width of the pictures; smaller than the clip's are averaged over areas.

    Returns:
        (n, size_px, size_px, 3) RGB.

    Raises:
        MediaError: a picture is not there, or is damaged.
    """
    import av

    pictures = np.empty((len(numbers), size_px, size_px, 3), np.uint8)
    try:
        with av.open(io.BytesIO(mp4), mode="r") as container:
            if not container.streams.video:
                raise MediaError("the clip has no video stream")
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            step = round(1 / (TICK_RATE_HZ * (stream.time_base or 1)))
            frames = container.decode(stream)
            last = -1
            for picture, number in zip(pictures, numbers, strict=True):
                if number - last > _DECODED_ON:
                    container.seek(number * step, stream=stream)
                    frames = container.decode(stream)
                shown = _shown_at(frames, number * step)
                if shown is None:
                    raise MediaError(f"the video has no frame {number}")
                if shown.is_corrupt:
                    raise MediaError(f"the video is damaged at frame {number}, or shortly before")
                picture[:] = shown.to_ndarray(format="rgb24", width=size_px, height=size_px, interpolation="AREA")
                last = number
    except av.FFmpegError as error:
        raise MediaError(f"the video cannot be decoded: {error}") from error
    return pictures


def _shown_at(frames: "Iterator[VideoFrame]", pts: int) -> "VideoFrame | None":
    """Return the frame at `pts`, or a damaged one on the way, from which it may be made; None where there is none."""
    for frame in frames:
        if frame.pts is not None and (frame.is_corrupt or frame.pts >= pts):
            return frame if frame.is_corrupt or frame.pts == pts else None
    return None
