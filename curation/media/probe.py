"""Probing of a video file: all packets are read once and one frame is decoded, because headers may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.byte_ranges import ByteRange
from curation.media.clocks import Clocks, separate_clocks
from curation.media.container import best_audio_stream, best_video_stream, exact, open_media, packets
from curation.media.convert import display_size, rotation_deg
from curation.media.errors import MediaError
from curation.media.joins import joined_ranges
from curation.media.scan import HOLE_S, PacketScan, scan_packets
from foundation.array_types import BoolArray, Float64Array, Int64Array
from manifests.timeline import TICK_RATE_HZ, tick_count

__all__ = ["Part", "Stamps", "VideoInfo", "probe"]

_CLAIMING_FORMATS = frozenset({"mov", "matroska", "avi", "flv", "asf"})
"""Containers whose header states a length; the length of others is an estimate from bytes or the last packet."""

_LONGEST_S = 24 * 3600
"""No video is longer: a header that claims more is damaged, and so is a time stamp beyond."""

_LEAST_HELD = Fraction(1, 1000)
"""A stated length is ignored where the file holds less than this share of it, and does not count its frames."""

_LONGEST_LAST_S = 3600
"""Longest believable duration of the last frame, s."""

_SLOWEST_FPS = Fraction(1, 60)
"""A header that states a lower rate is damaged."""

_FARTHEST_S = 10
"""A frame is shown at most this far from when it is decoded; further off, its time stamp is damaged."""

_MOST_REORDERED = 32
"""Frames by which the order of decoding differs at most from that of showing; H.264 and HEVC allow 16."""

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
    """Of the upright frame with square pixels, as `height_px`."""
    height_px: int
    fps: Fraction
    """Frames per second, the average over the file without `held_frames`."""
    codec: str
    has_audio: bool
    rotation_deg: int
    """Counterclockwise turn that makes a stored frame upright: 0, 90, 180 or 270."""
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
    held_frames: tuple[tuple[int, int], ...] = ()
    """(stamp of a frame, stamp of the next), where a constant rate has more than a second between them and none is
    missing."""
    damaged_stamps: frozenset[int] = frozenset()
    """Stamps of frames that are out of order, units of `time_base`: damage."""
    has_earlier: bool = False
    """Whether the file holds frames before the first one, which follow another clock."""
    bytes_held: ByteRange | None = None
    """The bytes that hold the recording, where a file holds several; None: all of the file."""
    parts: tuple["Part", ...] = ()
    """The recordings that the file holds one after the other, where they are several; the fields about time stamps
    are then those of the first."""

    @property
    def joins(self) -> tuple[int, ...]:
        """Ticks at which a new recording begins, but for the first."""
        return tuple(part.first_tick for part in self.parts[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One of several recordings that a file holds one after the other."""

    first_tick: int
    n_ticks: int
    info: VideoInfo | None
    """The recording as a video of its own; None where nothing of it can be decoded."""

    @property
    def end_tick(self) -> int:
        """End of its ticks in the file."""
        return self.first_tick + self.n_ticks


@dataclass(frozen=True, slots=True)
class _Scan:
    """The frames that follow one clock."""

    pts: Int64Array
    """(N,) their times, ascending; the numbers 0 to N - 1 where the stream has none."""
    stamps: Stamps
    last_duration: int
    """Duration of the last frame, 0 where unknown."""
    end_of_all_s: float
    """End of the longest track, streams of every kind, on the file's clock."""
    held_frames: tuple[tuple[int, int], ...] = ()
    damaged_stamps: frozenset[int] = frozenset()
    has_earlier: bool = False


def probe(path: Path) -> VideoInfo:
    """Return the properties of the video file at `path`.

    Reads the packets of the whole file once (no decoding), then decodes up to the first good frame. A file that holds
    several recordings, joined byte by byte or by an encoder that was started again, is read twice.

    Raises:
        MediaError: `unreadable` where no container or decoder makes sense of the file, or its clock begins anew at a
            place where it cannot be divided; `no_video_stream` where it holds no video stream.
    """
    found, problem = _recordings(path, None)
    infos = [recording for recording in found if isinstance(recording, VideoInfo)]
    if not infos:
        raise problem or MediaError("unreadable", f"{path} holds no recording")
    if len(found) == 1:
        return infos[0]
    # Of what cannot be decoded, the length is an estimate from its bytes.
    ticks_per_byte = sum(info.n_ticks for info in infos) / sum(_bytes_of(info) for info in infos)
    parts: list[Part] = []
    for recording in found:
        info = recording if isinstance(recording, VideoInfo) else None
        n_ticks = max(1, round(recording.size * ticks_per_byte)) if isinstance(recording, ByteRange) else recording.n_ticks
        parts.append(Part(first_tick=parts[-1].end_tick if parts else 0, n_ticks=n_ticks, info=info))
    n_ticks = parts[-1].end_tick
    return replace(
        infos[0],
        size_bytes=path.stat().st_size,
        duration_s=float(n_ticks / TICK_RATE_HZ),
        n_ticks=n_ticks,
        fps=_average_rate(infos),
        has_audio=any(info.has_audio for info in infos),
        variable_rate=any(info.variable_rate for info in infos),
        parts=tuple(parts),
    )


def _bytes_of(info: VideoInfo) -> int:
    return info.size_bytes if info.bytes_held is None else info.bytes_held.size


def _average_rate(infos: Sequence[VideoInfo]) -> Fraction:
    if len({info.fps for info in infos}) == 1:
        return infos[0].fps
    return sum(info.fps * info.n_ticks for info in infos) / Fraction(sum(info.n_ticks for info in infos))


def _recordings(path: Path, held: ByteRange | None) -> tuple[list[VideoInfo | ByteRange], MediaError | None]:
    """Return the recordings in a range of bytes, and the last error.

    One that cannot be decoded is given as its range.
    """
    try:
        with open_media(path, held) as container:
            stream = best_video_stream(container, path)
            packets_found = scan_packets(container, stream)
        if not packets_found.pts:
            name = stream.codec_context.name
            raise MediaError("unreadable", f"{path} declares a {name} track without a single packet")
        heard = {hole.before for hole in packets_found.holes if hole.is_heard}
        clocks = separate_clocks(packets_found.times_s(), heard)
        ranges = joined_ranges(path, held or ByteRange(first=0, end=path.stat().st_size), packets_found, clocks)
        if not ranges:
            return _described(path, held, packets_found, clocks), None
    except MediaError as error:
        if held is None or error.code == "unreachable":
            raise
        return [held], error
    found: list[VideoInfo | ByteRange] = []
    problem = None
    for part in ranges:
        more, error = _recordings(path, part)
        found += more
        problem = error or problem
    return found, problem


def _described(
    path: Path, held: ByteRange | None, packets_found: PacketScan, clocks: Clocks
) -> list[VideoInfo | ByteRange]:
    scans = _scans(path, packets_found, clocks)
    with open_media(path, held) as container:
        stream = best_video_stream(container, path)
        frame = _first_frame(container, stream, path)
        return [replace(_describe(path, container, stream, scan, frame), bytes_held=held) for scan in scans]


def _scans(path: Path, packets_found: PacketScan, clocks: Clocks) -> list[_Scan]:
    """Return the frames by the clock that they follow.

    Raises:
        MediaError: `unreadable` where a clock begins anew and the file cannot be divided there.
    """
    ways: list[tuple[Stamps, list[int | None]]] = [("pts", packets_found.pts), ("dts", packets_found.dts)]
    if "avi" in packets_found.format_names:  # no presentation times; FFmpeg's guess is wrong with B-frames
        ways = ways[1:]
    for stamps, stored in ways:
        if None not in stored:
            times = np.array(stored, np.int64)
            sound = _is_near(times * float(packets_found.time_base), packets_found.times_s())
            runs = [run[sound[run]] for run in clocks.runs]
            scans = [_run_scan(run, times, stamps, packets_found) for run in runs if len(run)]
            damaged = frozenset(np.setdiff1d(times, np.concatenate([scan.pts for scan in scans])).tolist())
            for before, after in pairwise(scans):
                if after.pts[0] <= before.pts[-1]:
                    raise MediaError(
                        "unreadable",
                        f"{path} holds several recordings: its clock goes back by "
                        f"{float((before.pts[-1] - after.pts[0]) * packets_found.time_base):.1f} s at a place where "
                        "the file cannot be divided; divide it there",
                    )
            return [replace(scan, damaged_stamps=damaged, has_earlier=k > 0) for k, scan in enumerate(scans)]
    n_frames = len(packets_found.pts)
    return [_Scan(np.arange(n_frames, dtype=np.int64), "none", 1, packets_found.end_of_all_s)]


def _is_near(times_s: Float64Array, decoded_s: Float64Array) -> BoolArray:
    """Return (N,) whether each frame is shown near to when it, or one of its neighbours, is decoded."""
    near: BoolArray = np.abs(times_s - decoded_s) <= _FARTHEST_S
    for number in np.flatnonzero(~near):
        around = decoded_s[max(0, number - _MOST_REORDERED) : number + _MOST_REORDERED + 1]
        near[number] = np.min(np.abs(around - times_s[number])) <= _FARTHEST_S
    return near


def _run_scan(run: Int64Array, times: Int64Array, stamps: Stamps, packets_found: PacketScan) -> _Scan:
    pts = np.unique(times[run])
    last_duration = packets_found.durations[int(run[np.argmax(times[run])])]
    if last_duration * packets_found.time_base > _LONGEST_LAST_S:
        last_duration = 0
    return _Scan(pts, stamps, last_duration, packets_found.end_of_all_s, _held_frames(pts, packets_found))


def _held_frames(pts: Int64Array, packets_found: PacketScan) -> tuple[tuple[int, int], ...]:
    """Return the neighbouring stamps between which no frame is missing, by the holes in the order of decoding."""
    unit_s = float(packets_found.time_base)
    times_s = packets_found.times_s()
    held = [
        (times_s[hole.before], times_s[hole.before] + hole.length_s)
        for hole in packets_found.holes
        if hole.is_held(packets_found.format_names)
    ]
    wide = np.flatnonzero(np.diff(pts) * unit_s > HOLE_S)
    pairs = [(int(pts[k]), int(pts[k + 1])) for k in wide]
    # Frames are decoded a little earlier than shown, and not in the same order.
    return tuple(
        (first, end)
        for first, end in pairs
        if any(min(end * unit_s, stop) - max(first * unit_s, start) > (end - first) * unit_s / 2 for start, stop in held)
    )


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


def _describe(path: Path, container: InputContainer, stream: VideoStream, scan: _Scan, frame: VideoFrame) -> VideoInfo:
    stated_fps = exact(stream.average_rate) or exact(stream.guessed_rate) or TICK_RATE_HZ
    if stated_fps < _SLOWEST_FPS:
        stated_fps = TICK_RATE_HZ
    time_base = (exact(stream.time_base) if scan.stamps != "none" else None) or 1 / stated_fps
    steps = np.diff(scan.pts)
    usual_step = float(np.median(steps)) if len(steps) else float(1 / (stated_fps * time_base))
    odd_steps = int(np.count_nonzero(np.abs(steps - usual_step) > max(1.5, usual_step / 4)))
    variable = odd_steps * 50 > len(steps)
    first, last = int(scan.pts[0]), int(scan.pts[-1])
    end = last + (scan.last_duration or max(1, round(usual_step)))
    held = sum(after - before for before, after in scan.held_frames)
    fps = Fraction(len(scan.pts)) / (max(1, end - first - held) * time_base)
    if abs(fps / stated_fps - 1) < 0.005:  # the stated rate is exact where time stamps are rounded, as in Matroska
        fps = stated_fps
    held_s = (end - first) * time_base
    duration_s = max(held_s, _claimed_s(container, stream, scan, first * time_base, held_s))
    rotation = rotation_deg(frame)
    width_px, height_px = display_size(frame, exact(stream.sample_aspect_ratio) or Fraction(1), rotation)
    return VideoInfo(
        path=path,
        size_bytes=path.stat().st_size,
        duration_s=float(duration_s),
        n_ticks=tick_count(duration_s),
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        codec=stream.codec_context.codec.canonical_name,
        has_audio=best_audio_stream(container, stream) is not None,
        rotation_deg=rotation,
        variable_rate=variable,
        time_base=time_base,
        first_pts=first,
        end_pts=end,
        stamps=scan.stamps,
        output_delay=frame.dts - first if scan.stamps == "dts" and frame.dts is not None else 0,
        held_frames=scan.held_frames,
        damaged_stamps=scan.damaged_stamps,
        has_earlier=scan.has_earlier,
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
        time_base = exact(stream.time_base)
        if stream.duration is None or time_base is None:
            return Fraction(0)
        end_s = ((stream.start_time or 0) + stream.duration) * time_base
        reached_s = float(int(scan.pts[-1]) * time_base)
    else:
        if container.duration is None:
            return Fraction(0)
        end_s = Fraction(container.duration + (container.start_time or 0), av.time_base)
        reached_s = scan.end_of_all_s
    claimed_s = end_s - first_s
    likely_s = stream.frames * held_s / len(scan.pts) * 2 if stream.frames else held_s / _LEAST_HELD
    believed = claimed_s <= min(Fraction(_LONGEST_S), likely_s)
    return claimed_s if end_s - Fraction(reached_s) > 1 and believed else Fraction(0)
