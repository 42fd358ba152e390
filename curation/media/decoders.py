"""Choice of the decoder of a video. PyAV is right for all; decord is held against it, file by file, before it is used.

decord counts the packets of a file and gives out the frames by number. Its times and pictures are those of PyAV only
where every packet is a frame that is shown, undamaged, as it is stored.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.frame import VideoFrame

from curation.media.container import best_video_stream, open_media, packets
from curation.media.convert import FrameConverter, is_hdr, is_untagged
from curation.media.decord_frames import DecordError, DecordReader
from curation.media.display_shape import DisplayShape, DisplayShapes
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo, probe
from curation.media.settings import MediaSettings
from foundation.array_types import Float64Array, RgbImage
from foundation.packages import import_package
from foundation.storage.locations import is_remote

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["MOST_LEVELS_APART", "probe_for", "require_decoder"]

MOST_LEVELS_APART = 2
"""Largest difference of a colour between the two decoders that is taken for the same, of 255 levels: both scale colours
up by swscale, of two versions of FFmpeg."""

_COMPARED = 8
"""Frames whose pixels are compared, evenly spread, besides those around a key frame."""

_MOST_TIME_APART_S = 0.0005
"""decord gives times as 32-bit floating-point seconds; this is more than their rounding in the first two hours."""


class _Unfit(Exception):  # noqa: N818, an answer
    """Why decord must not decode a file."""


def probe_for(path: Path, settings: MediaSettings) -> VideoInfo:
    """Return the properties of the video file at `path`, to be decoded as the settings say.

    With `decoder` "decord" the complete file is decoded once more, by PyAV, for decord does not tell of damage, of
    frames that it leaves out, or of a change of size.

    Raises:
        MediaError: as of `probe`; `decoder_unfit` where decord is asked for and its frames or times would be wrong.
        MissingPackageError: decord is asked for and not installed.
    """
    info = probe(path)
    if settings.decoder != "decord":
        return info
    try:
        _require_fit(info)
    except _Unfit as reason:
        raise MediaError(
            "decoder_unfit", f"{path}: decord is not right for it: {reason}; media.decoder=auto decodes it by PyAV"
        ) from reason
    return replace(info, decoder="decord")


def require_decoder(settings: MediaSettings) -> None:
    """Check that the decoder is installed, before work starts.

    Raises:
        MissingPackageError: it is not; the message has the command.
    """
    if settings.decoder == "decord":
        import_package("decord")


def _require_fit(info: VideoInfo) -> None:
    """Compare decord with PyAV on a file.

    Raises:
        _Unfit: its times or frames are others.
        MissingPackageError: decord is not installed.
    """
    import_package("decord")
    if is_remote(info.path):
        raise _Unfit("it is read from a remote storage by ranges")
    if info.parts:
        raise _Unfit("it holds several recordings, each with a clock of its own")
    if info.damaged_stamps:
        raise _Unfit("time stamps are damaged")
    if info.stamps != "pts":
        raise _Unfit("its container stores no times of frames, and decord counts from wrong ones")
    try:
        reader = DecordReader(info.path, 1)
        times_s = reader.times_s()
        key_frames = reader.key_frames()
    except DecordError as error:
        raise _Unfit(f"it cannot read the file: {error}") from error
    chosen = _compared(len(reader), key_frames.tolist())
    pts: list[int] = []
    for number, (frame, image) in enumerate(_shown_frames(info, chosen)):
        if frame.pts is None:
            raise _Unfit(f"frame {number} has no time stamp")
        pts.append(frame.pts)
        if image is not None:
            _require_same(reader, number, image)
    _require_times(info, times_s, pts)


def _compared(n_frames: int, key_frames: list[int]) -> frozenset[int]:
    """Return the numbers of frames to compare: spread, the last, and those on either side of a key frame."""
    middle = key_frames[len(key_frames) // 2] if key_frames else 0
    spread = np.linspace(0, n_frames - 1, _COMPARED).astype(int).tolist()
    return frozenset({*spread, middle - 1, middle, middle + 1})


def _shown_frames(info: VideoInfo, chosen: frozenset[int]) -> Iterator[tuple[VideoFrame, RgbImage | None]]:
    """Yield all frames as PyAV decodes them, those of the chosen numbers with their image.

    Raises:
        _Unfit: a frame is one that decord is known to show wrongly.
    """
    number, key_pts = 0, None
    with open_media(info.path) as container:
        stream = best_video_stream(container, info.path)
        stream.codec_context.thread_type = "NONE"
        shapes, convert = DisplayShapes(stream), FrameConverter()
        for packet in packets(container, stream):
            key_pts = _require_in_order(packet, key_pts)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                raise _Unfit(f"a packet is damaged: {error}") from error
            for frame in frames:
                if not isinstance(frame, VideoFrame):
                    continue
                shape = shapes(frame)
                _require_plain(frame)
                _require_shape(info, frame, shape)
                yield frame, convert(frame, shape) if number in chosen else None
                number += 1


def _require_in_order(packet: "Packet[Stream]", key_pts: int | None) -> int | None:
    """Return the time stamp of the last key frame, given that of the one before the packet.

    Raises:
        _Unfit: the packet is not shown, or before its key frame.
    """
    if packet.is_discard:
        raise _Unfit("an edit list leaves out frames")
    if packet.is_keyframe:
        return packet.pts
    if packet.pts is not None and key_pts is not None and packet.pts < key_pts:
        raise _Unfit("frames that follow a key frame are shown before it (open groups of pictures)")
    return key_pts


def _require_shape(info: VideoInfo, frame: VideoFrame, shape: DisplayShape) -> None:
    """Refuse a frame that is not displayed as it is stored, all of one size.

    Raises:
        _Unfit: it is turned, flipped, has oblong pixels, or another size than the first.
    """
    if not shape.is_as_stored:
        raise _Unfit("the file asks for a turn or flip of its frames")
    if shape.size_px != (frame.width, frame.height):
        raise _Unfit("its pixels are not square")
    if shape.size_px != (info.width_px, info.height_px):
        raise _Unfit("its frames change their size")


def _require_plain(frame: VideoFrame) -> None:
    """Refuse a frame that decord shows otherwise than a player.

    Raises:
        _Unfit: it is damaged, interlaced, HDR, of more than 8 bits, or large and untagged.
    """
    if frame.is_corrupt:
        raise _Unfit("a frame is damaged, which decord does not tell")
    if frame.interlaced_frame:
        raise _Unfit("it is interlaced")
    if is_hdr(frame):
        raise _Unfit("it has a high dynamic range (HDR)")
    if max(component.bits for component in frame.format.components) > 8:
        raise _Unfit("it has more than 8 bits a colour")
    if is_untagged(frame) and min(frame.width, frame.height) >= 720:
        raise _Unfit("it has 720 lines or more without a tag of their colours, which decord reads as BT.601")


def _require_same(reader: DecordReader, number: int, ours: RgbImage) -> None:
    """Compare the image of a frame with decord's.

    Raises:
        _Unfit: it is another one.
    """
    try:
        theirs = reader.frame(number)
    except DecordError as error:
        raise _Unfit(f"it cannot decode frame {number}: {error}") from error
    if theirs.shape != ours.shape:
        raise _Unfit(f"it shows frame {number} as {theirs.shape[1]}x{theirs.shape[0]} pixels")
    apart = int(np.abs(theirs.astype(np.int16) - ours).max())
    if apart > MOST_LEVELS_APART:
        raise _Unfit(f"its frame {number} is another one, by {apart} of 255 levels")


def _require_times(info: VideoInfo, times_s: Float64Array, pts: list[int]) -> None:
    """Compare the times of all frames, after the first.

    Raises:
        _Unfit: there are others.
    """
    if len(times_s) != len(pts):
        raise _Unfit(f"it counts {len(times_s)} frames, of which {len(pts)} are shown")
    ours_s = (np.array(pts) - info.first_pts) * float(info.time_base)
    apart_s = np.abs(times_s - ours_s)
    wrong = apart_s > _MOST_TIME_APART_S
    if wrong.any():
        number = int(np.argmax(wrong))
        raise _Unfit(f"it places frame {number} {times_s[number] - ours_s[number]:+.3f} s off")
