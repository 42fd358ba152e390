"""Rendered media in memory: H.264 in MP4 and FLAC, the same bytes for the same input."""

from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from av.video.frame import VideoFrame

from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from foundation.array_types import Float32Array, RgbImage
from manifests.files.h264_mp4 import h264_mp4
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["encode_flac", "encode_mp4"]

_FULL_SCALE = 32_768
"""A 16-bit sample s stands for s / 32768, so that audio decoded from 16 bits is written back unchanged."""

_FLAC_BLOCK = 4096


def encode_mp4(
    frames: Iterable[RgbImage | VideoFrame],
    size_px: int = 256,
    settings: MediaSettings = DEFAULT_MEDIA_SETTINGS,
    *,
    height_px: int | None = None,
) -> bytes:
    """Return `frames` as the MP4 of a clip, see `manifests.files.h264_mp4.h264_mp4`.

    Args:
        frames: (height_px, size_px, 3) each, or pictures of that size as the file has them; at least one.
        size_px: width; even, as chroma is stored at half the size.
        settings: how well, how fast and with how many key frames.
        height_px: even; None: the width.

    Raises:
        ValueError: no frame, a frame of another shape, or an odd `size_px` or `height_px`.
    """
    return h264_mp4(
        frames,
        size_px,
        crf=settings.crf,
        preset=settings.encode_preset,
        key_frame_every=settings.key_frame_every,
        height_px=height_px,
    )


def encode_flac(audio: Float32Array, rate_hz: int = AUDIO_RATE_HZ) -> bytes:
    """Return (S,) samples in -1 to 1 as 16-bit mono FLAC; S / rate_hz seconds, to the sample.

    Values are rounded to the nearest of 65,536 levels and clipped beyond them.

    Raises:
        ValueError: `audio` is not one-dimensional, is empty, or holds a value that is not a number.
    """
    if audio.ndim != 1 or not len(audio):
        raise ValueError(f"audio has shape {audio.shape}; give at least one sample of one channel, shape (S,)")
    if not np.all(np.isfinite(audio)):
        raise ValueError(f"audio holds {np.count_nonzero(~np.isfinite(audio))} values that are not finite numbers")
    levels = np.clip(np.rint(audio.astype(np.float64) * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    buffer = BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("flac", rate=rate_hz, layout="mono", options={"flags": "+bitexact"})
        stream.codec_context.format = "s16"
        for offset in range(0, len(levels), _FLAC_BLOCK):
            frame = av.AudioFrame.from_ndarray(levels[None, offset : offset + _FLAC_BLOCK], format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = rate_hz, offset, Fraction(1, rate_hz)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()
