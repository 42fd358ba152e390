"""Probing of a video file: all packets are read once and one frame is decoded, because headers may be wrong."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.container import best_audio_stream, best_video_stream, open_media, packets
from curation.media.display_shape import DisplayShape, DisplayShapes
from curation.media.errors import MediaError
from foundation.array_types import Int64Array
from manifests.timeline import TICK_RATE_HZ, tick_count

__all__ = ["Stamps", "VideoInfo", "probe"]

_CLAIMING_FORMATS = frozenset({"mov", "matroska", "avi", "flv", "asf"})
"""Containers whose header states a length; the length of others is an estimate from bytes or the last packet."""

_LONGEST_S = 24 * 3600
"""No video is longer: a header that claims more is damaged, and so is a time stamp beyond."""

_LEAST_HELD = Fraction(1, 1000)
"""A stated length is ignored where the file holds less than this share of it, and does not count its frames."""

_LONGEST_SHOWN_S = 60
"""Longest duration of a frame: a time stamp beyond it is damaged. One flipped bit can move a frame by hours."""

Stamps = Literal["pts", "dts", "none"]
"""Origin of the times of a file's frames.

`pts`: their own stamps. `dts`: AVI stores decoding times only; a frame's time is that of the packet at which the
decoder gives it out, less a delay that is constant in a file. `none`: a raw stream; frames are counted at the stated
rate, and a window is decoded from the start of the file.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInfo:
    """Properties of a video file, for decoding and for its row in `videos`."""

    path: Path
    size_bytes: int
    duration_s: float
    """From the first frame to the end of the last; of a file cut short, to the end that its header promises."""
    n_ticks: int
    width_px: int
    """Of the first upright frame with square pixels, as `height_px`; later frames may have another size."""
    height_px: int
    fps: Fraction
    """Frames per second, the average over the file."""
    codec: str
    has_audio: bool
    rotation_deg: int
    """Counterclockwise turn that makes the first stored frame upright: 0, 90, 180 or 270; after its flip, if the file
    asks for one."""
    variable_rate: bool
    """More than one in fifty distances between neighbouring frames is off the usual one by more than a quarter; fewer
    are holes in a constant rate."""
    time_base: Fraction
    """Seconds per unit of the stream's time stamps."""
    first_pts: int
    """Time stamp of the first frame, units of `time_base`: tick 0, and the zero of the audio."""
    end_pts: int
    """End of the last frame in the file, units of `time_base`."""
    stamps: Stamps
    output_delay: int
    """With `stamps` "dts": how far after a frame's time the packet that pushes it out of the decoder is stamped."""
    decoder: Literal["pyav", "decord"] = "pyav"
    """What decodes the frames; decord only after `curation.media.decoders` has found that it is right for the file."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """The packets of the video track, and where each track ends."""

    pts: Int64Array
    """(N,) the frames' times, ascending; the numbers 0 to N - 1 where the stream has none."""
    stamps: Stamps
    last_duration: int
    """Duration of the last frame, 0 where unknown."""
    end_of_all_s: float
    """End of the longest track, streams of every kind, on the file's clock."""


def probe(path: Path) -> VideoInfo:
    """Return the properties of the video file at `path`.

    Reads the packets of the whole file once (no decoding), then decodes up to the first good frame.

    Raises:
        MediaError: `unreadable` where no container or decoder makes sense of the file; `no_video_stream` where it
            holds no video stream.
    """
    with open_media(path) as container:
        stream = best_video_stream(container, path)
        scan = _scan(container, stream)
    if not len(scan.pts):
        raise MediaError("unreadable", f"{path} declares a {stream.codec_context.name} track without a single packet")
    with open_media(path) as container:
        stream = best_video_stream(container, path)
        shapes = DisplayShapes(stream)
        frame = _first_frame(container, stream, path)
        return _describe(path, container, stream, scan, frame, shapes(frame))


def _scan(container: InputContainer, stream: VideoStream) -> _Scan:
    pts: list[int | None] = []
    dts: list[int | None] = []
    durations: list[int] = []
    end_of_all_s = 0.0
    key_seen = False
    for packet in packets(container):
        start = packet.pts if packet.pts is not None else packet.dts
        if start is not None and packet.time_base is not None:
            end_of_all_s = max(end_of_all_s, float((start + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index or not packet.size:
            continue
        # A recording that begins in the middle of a group of pictures (GOP) has its first frame at the key frame.
        key_seen = key_seen or packet.is_keyframe
        if not key_seen or packet.is_discard:  # removed by an edit list
            continue
        pts.append(packet.pts)
        dts.append(packet.dts)
        durations.append(packet.duration or 0)
    ways: list[tuple[Stamps, list[int | None]]] = [("pts", pts), ("dts", dts)]
    if "avi" in container.format.name.split(","):  # it has no presentation times; FFmpeg's guess is wrong with B-frames
        ways = ways[1:]
    for stamps, times in ways:
        known = [time for time in times if time is not None]
        if known and len(known) == len(times):
            together = _believable(np.unique(np.array(known, np.int64)), stream.time_base or Fraction(1))
            last_duration = durations[known.index(int(together[-1]))]
            if last_duration * (stream.time_base or 1) > _LONGEST_SHOWN_S:
                last_duration = 0
            return _Scan(together, stamps, last_duration, end_of_all_s)
    return _Scan(np.arange(len(pts), dtype=np.int64), "none", 1, end_of_all_s)


def _believable(pts: Int64Array, time_base: Fraction) -> Int64Array:
    """Return of ascending times the most that follow each other without too long a step, and no more than a day."""
    steps_s = np.diff(pts) * float(time_base)
    together: Int64Array = max(np.split(pts, np.flatnonzero(steps_s > _LONGEST_SHOWN_S) + 1), key=len)
    return together[: np.searchsorted(together, together[0] + int(_LONGEST_S / time_base), "right")]


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    """Decode up to the first frame that the decoder does not mark as damaged; without one, return the first frame."""
    damaged: VideoFrame | None = None
    problem = "its decoder returns no frame"
    for packet in packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            problem = str(error)
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame) and not frame.is_corrupt:
                return frame
            damaged = damaged or (frame if isinstance(frame, VideoFrame) else None)
    if damaged is None:
        raise MediaError(
            "unreadable", f"{path}: no frame of the {stream.codec_context.name} track can be decoded: {problem}"
        )
    return damaged


def _describe(
    path: Path, container: InputContainer, stream: VideoStream, scan: _Scan, frame: VideoFrame, shape: DisplayShape
) -> VideoInfo:
    stated_fps = stream.average_rate or stream.guessed_rate or TICK_RATE_HZ
    if stated_fps * _LONGEST_SHOWN_S < 1:
        stated_fps = TICK_RATE_HZ
    time_base = stream.time_base if scan.stamps != "none" and stream.time_base else 1 / stated_fps
    steps = np.diff(scan.pts)
    usual_step = float(np.median(steps)) if len(steps) else float(1 / (stated_fps * time_base))
    odd_steps = int(np.count_nonzero(np.abs(steps - usual_step) > max(1.5, usual_step / 4)))
    variable = odd_steps * 50 > len(steps)
    first, last = int(scan.pts[0]), int(scan.pts[-1])
    end = last + (scan.last_duration or max(1, round(usual_step)))
    fps = Fraction(len(scan.pts)) / ((end - first) * time_base)
    if abs(fps / stated_fps - 1) < 0.005:  # the stated rate is exact where time stamps are rounded, as in Matroska
        fps = stated_fps
    held_s = (end - first) * time_base
    duration_s = max(held_s, _claimed_s(container, stream, scan, first * time_base, held_s))
    return VideoInfo(
        path=path,
        size_bytes=path.stat().st_size,
        duration_s=float(duration_s),
        n_ticks=tick_count(duration_s),
        width_px=shape.width_px,
        height_px=shape.height_px,
        fps=fps,
        codec=stream.codec_context.name,
        has_audio=best_audio_stream(container) is not None,
        rotation_deg=shape.rotation_deg,
        variable_rate=variable,
        time_base=time_base,
        first_pts=first,
        end_pts=end,
        stamps=scan.stamps,
        output_delay=frame.dts - first if scan.stamps == "dts" and frame.dts is not None else 0,
    )


def _claimed_s(
    container: InputContainer, stream: VideoStream, scan: _Scan, first_s: Fraction, held_s: Fraction
) -> Fraction:
    """Return the length that the header promises for the frames, 0 where the file is whole or promises nothing.

    A file is cut short where no track reaches the promised end: a longer audio track does not lengthen the frames.
    A promise that is out of all proportion to the frames that the header counts, or the file holds, is damage.
    """
    if not (set(container.format.name.split(",")) & _CLAIMING_FORMATS and scan.stamps != "none"):
        return Fraction(0)
    if "mov" in container.format.name:  # the header of every track has its own length
        if stream.duration is None or stream.time_base is None:
            return Fraction(0)
        end_s = ((stream.start_time or 0) + stream.duration) * stream.time_base
        reached_s = float(int(scan.pts[-1]) * stream.time_base)
    else:
        if container.duration is None:
            return Fraction(0)
        end_s = Fraction(container.duration + (container.start_time or 0), av.time_base)
        reached_s = scan.end_of_all_s
    claimed_s = end_s - first_s
    likely_s = stream.frames * held_s / len(scan.pts) * 2 if stream.frames else held_s / _LEAST_HELD
    believed = claimed_s <= min(Fraction(_LONGEST_S), likely_s)
    return claimed_s if end_s - Fraction(reached_s) > 1 and believed else Fraction(0)
