"""The frames of a video on the 25 Hz clock: decoded in one pass, the nearest frame by PTS for each tick."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from curation.media.container import best_video_stream, open_media, packets
from curation.media.convert import DecodedImage, FrameConverter, LazyImage
from curation.media.decord_frames import decord_frames
from curation.media.display_shape import DisplayShapes
from curation.media.memory import trim_heap
from curation.media.probe import VideoInfo
from curation.media.settings import DEFAULT_MEDIA_SETTINGS, MediaSettings
from curation.media.tick_pairing import StoredFrame, pair_with_ticks
from foundation.array_types import RgbImage
from manifests.timeline import TICK_RATE_HZ

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["TickFrame", "tick_frames"]

_TRIM_EVERY_TICKS = 25
"""Frames between two checks of the heap, each of which takes 15 microseconds."""

_LEAD_S = Fraction(1, 4)
"""Decoding of a window begins at a key frame at least this long before its first tick: more than the reach of a
frame over a damaged section, so that a window gets the frames of a pass from the start."""


_MOST_DELAYED = 64
"""Packets that are decoded behind the last frame of a recording, to have all of its frames from the decoder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TickFrame:
    """The frame that a video shows at one tick."""

    tick: int
    source_frame: int | None
    """The stored frame: its time stamp after the first frame's, units of `VideoInfo.time_base`, the same in
    every window. None: nothing trustworthy decodes here. The number of the tick before: the same frame again."""
    shown: LazyImage | None
    """The image of the frame, the same again where `source_frame` is the same; None with it. Its shape is its own:
    a stream may change it between two frames."""

    @property
    def rgb(self) -> RgbImage | None:
        """(height_px, width_px, 3), the same array again where `source_frame` is the same; None with it."""
        return None if self.shown is None else self.shown.rgb


def tick_frames(
    info: VideoInfo, first_tick: int, end_tick: int, settings: MediaSettings = DEFAULT_MEDIA_SETTINGS
) -> Iterator[TickFrame]:
    """Yield the frames of ticks [first_tick, end_tick), in order, one each.

    A generator that holds a few decoded frames at a time, however long the window. A damaged packet costs the
    frames up to the next key frame, not the pass: their ticks have no frame.

    Raises:
        MediaError: `unreadable` where the file can no longer be opened.
        ValueError: the ticks are not within the video.
    """
    if not 0 <= first_tick <= end_tick <= info.n_ticks:
        raise ValueError(f"ticks [{first_tick}, {end_tick}) are not within [0, {info.n_ticks}) of {info.path}")
    if not info.parts:
        yield from _recording_frames(info, first_tick, end_tick, settings)
        return
    number = 0
    for part in info.parts:
        first, end = max(first_tick, part.first_tick), min(end_tick, part.end_tick)
        if first >= end:
            pass
        elif part.info is None:
            yield from (TickFrame(tick=tick, source_frame=None, shown=None) for tick in range(first, end))
        else:
            own = replace(part.info, path=info.path)
            for frame in _recording_frames(own, first - part.first_tick, end - part.first_tick, settings):
                source_frame = None if frame.source_frame is None else frame.source_frame + number
                yield replace(frame, tick=frame.tick + part.first_tick, source_frame=source_frame)
        number += 0 if part.info is None else part.info.end_pts - part.info.first_pts


def _recording_frames(info: VideoInfo, first_tick: int, end_tick: int, settings: MediaSettings) -> Iterator[TickFrame]:
    """Yield the frames of ticks of one recording."""
    shown: tuple[int, LazyImage] | None = None
    decode = decord_frames if info.decoder == "decord" else _pyav_frames
    with closing(decode(info, first_tick, settings)) as stored:
        for tick, decoded in pair_with_ticks(stored, info, first_tick, end_tick):
            if tick % _TRIM_EVERY_TICKS == 0:
                trim_heap()
            if decoded is None:
                yield TickFrame(tick=tick, source_frame=None, shown=None)
                continue
            number = decoded.pts - info.first_pts
            if shown is None or shown[0] != number:
                shown = (number, decoded.frame())
            yield TickFrame(tick=tick, source_frame=number, shown=shown[1])


def _pyav_frames(info: VideoInfo, first_tick: int, settings: MediaSettings) -> Generator[StoredFrame]:
    """Yield the frames of the video from a key frame before `first_tick` on."""
    landing = _landing(info, first_tick)
    with open_media(info.path, info.bytes_held) as container:
        stream = best_video_stream(container, info.path)
        if landing is not None:
            container.seek(landing, stream=stream)
        stream.codec_context.thread_count = settings.decode_threads
        stream.codec_context.thread_type = "AUTO" if settings.decode_threads > 1 else "NONE"
        yield from _stored_frames(container, stream, info)


def _landing(info: VideoInfo, first_tick: int) -> int | None:
    """Return the time to seek to, units of `info.time_base`, for a key frame at least `_LEAD_S` before the tick.

    None where decoding has to begin at the start of the file, which is where an opened file stands.
    """
    target_s = first_tick / TICK_RATE_HZ - _LEAD_S
    if info.stamps == "none" or (target_s <= 0 and not info.has_earlier):
        return None
    latest = info.first_pts + int(target_s / info.time_base)
    if info.has_earlier:
        target_s = latest * info.time_base
    back_s = Fraction(0)
    with open_media(info.path, info.bytes_held) as container:
        stream = best_video_stream(container, info.path)
        # An index is by decoding order or imprecise in some containers, so the landing of a seek is checked.
        while back_s < target_s:
            target = latest - int(back_s / info.time_base)
            try:
                container.seek(target, stream=stream)
            except (av.FFmpegError, OverflowError):  # a damaged index, a time that no file can have
                return None
            landed = next((packet for packet in packets(container, stream) if packet.is_keyframe), None)
            stamp = None if landed is None else _stamp(landed, info)
            if stamp is not None and stamp <= latest:
                return target
            back_s = back_s * 2 + 1
    return None


def _stored_frames(container: InputContainer, stream: VideoStream, info: VideoInfo) -> Iterator[StoredFrame]:
    """Decode from here on; yield frames and losses (without a frame), ascending by PTS."""
    shapes, convert = DisplayShapes(stream), FrameConverter()
    awaited: list[int] = []
    spoilt: set[int] = set()
    chain_broken = False
    tainted = False
    n_decoded = 0
    for packet in _own_packets(container, stream, info):
        if packet.size and packet.is_keyframe:
            chain_broken = False
        decoded, failed = _decode(packet)
        chain_broken = chain_broken or failed or packet.is_corrupt
        stamp = _stamp(packet, info)
        if packet.size and stamp is not None and not packet.is_discard:
            heappush(awaited, stamp)
            if chain_broken:
                spoilt.add(stamp)
        for frame in decoded:
            shape = shapes(frame)
            pts = _frame_time(frame, info, n_decoded, awaited)
            n_decoded += 1
            if pts is None:
                continue
            # A frame that the decoder patched up spoils those that build on it, up to the next key frame.
            tainted = frame.is_corrupt or (tainted and not frame.key_frame)
            while awaited and awaited[0] < pts:
                yield StoredFrame(pts=heappop(awaited), frame=None)
            while awaited and awaited[0] == pts:
                heappop(awaited)
            lost = tainted or pts in spoilt
            yield StoredFrame(pts=pts, frame=None if lost else partial(DecodedImage, frame, shape, convert))
            spoilt.discard(pts)
    while awaited:
        yield StoredFrame(pts=heappop(awaited), frame=None)


def _own_packets(container: InputContainer, stream: VideoStream, info: VideoInfo) -> "Iterator[Packet[Stream]]":
    """Yield packets up to where another clock begins, and some more, to have all frames from the decoder."""
    n_beyond = 0
    for packet in packets(container, stream):
        n_beyond += info.stamps == "pts" and packet.pts is not None and _is_beyond(packet.pts, info)
        if n_beyond > _MOST_DELAYED:
            return
        yield packet


def _is_beyond(pts: int, info: VideoInfo) -> bool:
    """Return whether a frame follows another clock, which begins after this one."""
    late = pts - info.end_pts
    return late > 0 and late * info.time_base > _LEAD_S and pts not in info.damaged_stamps


def _own_time(time: int | None, info: VideoInfo) -> int | None:
    """Return the time; None for damaged ones, and for those on another clock."""
    return None if time is None or time in info.damaged_stamps or _is_beyond(time, info) else time


def _stamp(packet: "Packet[Stream]", info: VideoInfo) -> int | None:
    """Return the time of a packet's frame, units of `info.time_base`, by the kind of stamps of this file."""
    return _own_time({"pts": packet.pts, "dts": packet.dts, "none": None}[info.stamps], info)


def _frame_time(frame: VideoFrame, info: VideoInfo, n_decoded: int, awaited: list[int]) -> int | None:
    """Return the presentation time of a decoded frame, units of `info.time_base`; None where it is unknown."""
    if info.stamps == "none":
        return n_decoded
    if info.stamps == "dts":
        if frame.dts is not None:
            return _own_time(frame.dts - info.output_delay, info)
        return awaited[0] if awaited else None  # pushed out by the end of the file
    return _own_time(frame.pts, info)


def _decode(packet: "Packet[Stream]") -> tuple[list[VideoFrame], bool]:
    """Return the decoded frames, and whether the decoder refused the packet."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)], False
    except av.FFmpegError:
        return [], True
