"""Write the video file: frames by curation's encoder, audio as AAC, and tags that declare it AI-generated."""

from collections.abc import Iterable, Mapping

from curation.media.encode import encode_mp4
from foundation.array_types import Float32Array, RgbImage
from manifests.files.h264_mp4 import with_sound

__all__ = ["talking_mp4"]


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
        audio: (S,) mono as of `with_sound`; None: no audio.
        rate_hz: of `audio`, such as 48000.
        tags: metadata of the container; MP4 shows `comment`, `description` and `title`.
        height_px: even; None: the width.
    """
    return with_sound(encode_mp4(frames, size_px, height_px=height_px), audio, rate_hz, tags)
