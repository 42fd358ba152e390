"""Rendered media in memory: H.264 in MP4 and FLAC, the same bytes for the same input."""

from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from foundation.array_types import Float32Array, RgbImage
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ

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
    """Return `frames` as a 25 fps H.264 MP4: yuv420p, BT.709, limited range, frame k at exactly k/25 s.

    No B-frames, so that decoding order is presentation order and no edit list or delay shifts frame 0; one thread and
    no dates or version tags, so that the same frames give the same bytes.

    Args:
        frames: (height_px, size_px, 3) each, or pictures of that size as the file has them; at least one.
        size_px: width; even, as chroma is stored at half the size.
        settings: quality, speed and distance of key frames.
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
                "crf": str(settings.crf),
                "preset": settings.encode_preset,
                "g": str(settings.key_frame_every),
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
            encoded = _yuv(frame, (size_px, height_px), n_frames)
            encoded.color_trc, encoded.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
            encoded.pict_type = PictureType.NONE
            encoded.pts, encoded.time_base = n_frames, 1 / TICK_RATE_HZ
            output.mux(stream.encode(encoded))
            n_frames += 1
        output.mux(stream.encode(None))
    if not n_frames:
        raise ValueError("there is no frame to encode")
    return buffer.getvalue()


def _yuv(frame: RgbImage | VideoFrame, size_px: tuple[int, int], number: int) -> VideoFrame:
    """Return a picture, of a width and a height, as the encoder takes it."""
    width, height = size_px
    if isinstance(frame, VideoFrame):
        found = (frame.format.name, frame.width, frame.height)
        if found != ("yuv420p", width, height):
            raise ValueError(f"frame {number} is {found}; give {('yuv420p', size_px, size_px)}")
        return frame
    if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
        raise ValueError(
            f"frame {number} is {frame.dtype} of shape {frame.shape}; give uint8 of shape {(height, width, 3)}"
        )
    return VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
        threads=1,
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
