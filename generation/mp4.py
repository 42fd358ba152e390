"""Write the video file: frames as curation encodes them, audio as AAC, and tags that declare it AI-generated."""

from collections.abc import Iterable, Mapping
from typing import BinaryIO

from curation.media.settings import DEFAULT_MEDIA_SETTINGS
from foundation.array_types import Float32Array, RgbImage
from manifests.files.h264_mp4 import write_mp4

__all__ = ["write_talking_mp4"]


def write_talking_mp4(
    file: BinaryIO,
    frames: Iterable[RgbImage],
    size_px: int,
    audio: Float32Array | None,
    rate_hz: int,
    tags: Mapping[str, str],
    *,
    height_px: int | None = None,
) -> None:
    """Write a 25 fps H.264 MP4 with AAC audio while its frames are made; the same arguments give the same bytes.

    Args:
        file: open for writing, and for seeking in what was written.
        frames: (height_px, size_px, 3) each, at least one; taken one by one, and not kept.
        size_px: width, even.
        audio: (S,) mono from the first frame on, cut or filled with silence to the length of the frames; None: none.
        rate_hz: of `audio`, such as 48000.
        tags: metadata of the container; MP4 shows `comment`, `description` and `title`.
        height_px: even; None: the width.

    Raises:
        ValueError: no frame, or one of another shape.
        OSError: the file cannot be written.
    """
    settings = DEFAULT_MEDIA_SETTINGS
    write_mp4(
        file,
        frames,
        size_px,
        crf=settings.crf,
        preset=settings.encode_preset,
        key_frame_every=settings.key_frame_every,
        height_px=height_px,
        audio=audio,
        rate_hz=rate_hz,
        tags=tags,
    )
