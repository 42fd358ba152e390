"""Probing of a video file: all packets are read once and one frame is decoded, because headers may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.container import best_video_stream, exact, open_media
from curation.media.display_shape import DisplayShape, first_shown
from curation.media.errors import MediaError
from curation.media.packets.byte_ranges import ByteRange
from curation.media.packets.claims import claimed_s
from curation.media.packets.clocks import Clocks, separate_clocks
from curation.media.packets.frame_times import (
    FASTEST_FPS,
    LONGEST_LAST_S,
    LONGEST_S,
    SLOWEST_FPS,
    FrameTimes,
    Stamps,
    frame_times,
)
from curation.media.packets.joins import joined_ranges
from curation.media.packets.scan import PacketScan, scan_packets
from curation.media.sound_track import SoundTracks
from foundation.storage.locations import is_remote
from manifests.timeline import TICK_RATE_HZ, tick_count
from manifests.vocabulary import ErrorCode, GeneratedTag

__all__ = ["Part", "VideoInfo", "probe"]


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
    """Frames per second, the average over the file without `held_frames`."""
    codec: str
    sound: SoundTracks | None
    """The audio tracks that belong to the frames; None where there are none."""
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
    held_frames: tuple[tuple[int, int], ...] = ()
    """(stamp of a frame, stamp of the next), where a constant rate has more than a second between them and none is
    missing."""
    damaged_stamps: frozenset[int] = frozenset()
    """Stamps of frames that are out of order, units of `time_base`: damage."""
    generated_tags: tuple[GeneratedTag, ...] | None = None
    """What the file says of how it was made; None where that was not read."""
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

    @property
    def has_audio(self) -> bool:
        """Whether there is an audio track."""
        return self.sound is not None


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
        _require_length(path, infos[0].n_ticks)
        return infos[0]
    # Of what cannot be decoded, the length is an estimate from its bytes.
    ticks_per_byte = sum(info.n_ticks for info in infos) / sum(_bytes_of(info) for info in infos)
    parts: list[Part] = []
    for recording in found:
        info = recording if isinstance(recording, VideoInfo) else None
        n_ticks = (
            max(1, round(recording.size * ticks_per_byte)) if isinstance(recording, ByteRange) else recording.n_ticks
        )
        parts.append(Part(first_tick=parts[-1].end_tick if parts else 0, n_ticks=n_ticks, info=info))
    n_ticks = parts[-1].end_tick
    _require_length(path, n_ticks)
    return replace(
        infos[0],
        size_bytes=path.stat().st_size,
        duration_s=float(n_ticks / TICK_RATE_HZ),
        n_ticks=n_ticks,
        fps=_average_rate(infos),
        sound=next((info.sound for info in infos if info.sound is not None), None),
        variable_rate=any(info.variable_rate for info in infos),
        parts=tuple(parts),
    )


def _require_length(path: Path, n_ticks: int) -> None:
    """Refuse a video that is longer than a day, as one recording or as several that were joined."""
    if n_ticks > LONGEST_S * TICK_RATE_HZ:
        hours = float(n_ticks / TICK_RATE_HZ / 3600)
        raise MediaError(
            "unreadable",
            f"{path} has {hours:.0f} hours of video, and at most {LONGEST_S // 3600} are read; divide it, or mend the "
            "lengths in its header",
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
        scan = _scan(path, held)
        heard = {hole.before for hole in scan.holes if scan.is_heard(hole.start_s, hole.end_s)}
        clocks = separate_clocks(scan.times_s(), heard)
        ranges = _joined(path, held, scan, clocks)
        if not ranges:
            return _described(path, held, scan, clocks), None
    except MediaError as error:
        if held is None or error.code == "unreachable":
            raise
        return [held], error
    found: list[VideoInfo | ByteRange] = []
    problem = None
    for part in ranges:
        more, its_problem = _recordings(path, part)
        found += more
        problem = its_problem or problem
    return found, problem


def _scan(path: Path, held: ByteRange | None) -> PacketScan:
    with open_media(path, held) as container:
        stream = best_video_stream(container, path)
        scan = scan_packets(container, stream)
        if not scan.pts:
            name = stream.codec_context.name
            raise MediaError("unreadable", f"{path} declares a {name} track without a single packet")
        return scan


def _joined(path: Path, held: ByteRange | None, scan: PacketScan, clocks: Clocks) -> list[ByteRange]:
    try:
        return joined_ranges(path, held or ByteRange(first=0, end=path.stat().st_size), scan, clocks)
    except OSError as error:
        code: ErrorCode = "unreachable" if is_remote(path) else "unreadable"
        raise MediaError(code, f"{path} cannot be read: {error}") from error


def _described(path: Path, held: ByteRange | None, scan: PacketScan, clocks: Clocks) -> list[VideoInfo | ByteRange]:
    found = frame_times(path, scan, clocks)
    with open_media(path, held) as container:
        stream = best_video_stream(container, path)
        shown = first_shown(container, stream, path)
        return [
            replace(_describe(path, container, stream, times, shown), bytes_held=held, sound=scan.sound)
            for times in found
        ]


def _describe(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    times: FrameTimes,
    first_shown: tuple[VideoFrame, DisplayShape],
) -> VideoInfo:
    frame, shape = first_shown
    stated_fps = exact(stream.average_rate) or exact(stream.guessed_rate) or TICK_RATE_HZ
    if not SLOWEST_FPS <= stated_fps <= FASTEST_FPS:
        stated_fps = TICK_RATE_HZ
    time_base = (exact(stream.time_base) if times.stamps != "none" else None) or 1 / stated_fps
    steps = np.diff(times.pts)
    stated_step = float(1 / (stated_fps * time_base))
    usual_step = float(np.median(steps)) if len(steps) else stated_step
    odd_steps = int(np.count_nonzero(np.abs(steps - usual_step) > max(1.5, usual_step / 4)))
    variable = odd_steps * 50 > len(steps)
    first, last = int(times.pts[0]), int(times.pts[-1])
    last_step = usual_step if usual_step * time_base <= LONGEST_LAST_S else stated_step
    end = last + (times.last_duration or max(1, round(last_step)))
    held = sum(after - before - round(usual_step) for before, after in times.held_frames)
    fps = Fraction(len(times.pts)) / (max(1, end - first - held) * time_base)
    if abs(fps / stated_fps - 1) < 0.005:  # the stated rate is exact where time stamps are rounded, as in Matroska
        fps = stated_fps
    held_s = (end - first) * time_base
    duration_s = max(held_s, claimed_s(container, stream, times, first * time_base, held_s))
    return VideoInfo(
        path=path,
        size_bytes=path.stat().st_size,
        duration_s=float(duration_s),
        n_ticks=tick_count(duration_s),
        width_px=shape.width_px,
        height_px=shape.height_px,
        fps=fps,
        codec=stream.codec_context.codec.canonical_name,
        sound=None,
        rotation_deg=shape.rotation_deg,
        variable_rate=variable,
        time_base=time_base,
        first_pts=first,
        end_pts=end,
        stamps=times.stamps,
        output_delay=frame.dts - first if times.stamps == "dts" and frame.dts is not None else 0,
        held_frames=times.held_frames,
        damaged_stamps=times.damaged_stamps,
        has_earlier=times.has_earlier,
    )
