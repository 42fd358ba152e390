"""The sound tracks of a file: what its packets tell of each, and which of them is heard."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from av.audio.stream import AudioStream
from av.container import InputContainer

from curation.media.sound_stamps import PacketStamps, StampOffsets

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["SoundScan", "SoundTrack", "SoundTracks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundTrack:
    """A sound track of a file; its times are those of its stream, in units of the stream's time base."""

    stream: int
    """Number of the stream in its container."""
    last_pts: int | None
    """Time stamp of the last packet; None where the file does not state where the track ends."""
    end_pts: int | None
    """End of the track by the edit list, or by the length of the last packet: what its codec adds after it is no part
    of the recording. None with `last_pts`."""
    offsets: StampOffsets | None
    """Corrections of the time stamps; None where they are steady."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundTracks:
    """All sound tracks that belong to a video, and the one that is heard."""

    tracks: tuple[SoundTrack, ...]
    """In the order of the file."""
    number: int
    """Of the track that is heard; the first one is 1."""

    @property
    def heard(self) -> SoundTrack:
        """The track that is heard."""
        return self.tracks[self.number - 1]

    def with_number(self, number: int) -> "SoundTracks":
        """Return the same tracks with another one to be heard.

        Raises:
            ValueError: there is no track of that number.
        """
        if not 1 <= number <= len(self.tracks):
            raise ValueError(f"there is no sound track {number}, only {len(self.tracks)}; the first one is 1")
        return replace(self, number=number)


class SoundScan:
    """Collector of what the packets of a file tell of its sound tracks."""

    def __init__(self, container: InputContainer, streams: Sequence[AudioStream]) -> None:
        """Await the packets of `streams`; the first of them is the one to be heard, unless another is chosen."""
        self._is_mov = "mov" in container.format.name.split(",")
        self._streams = streams
        self._stamps = {stream.index: PacketStamps(stream) for stream in streams}

    def add(self, packet: "Packet[Stream]") -> None:
        """Note the next packet of the file, of whatever stream."""
        stamps = self._stamps.get(packet.stream_index)
        if stamps is not None:
            stamps.add(packet)

    def tracks(self) -> SoundTracks | None:
        """Return the tracks, None where there are none."""
        if not self._streams:
            return None
        ordered = sorted(self._streams, key=lambda stream: stream.index)
        return SoundTracks(tracks=tuple(map(self._track, ordered)), number=ordered.index(self._streams[0]) + 1)

    def _track(self, stream: AudioStream) -> SoundTrack:
        stamps = self._stamps[stream.index]
        last_pts, end_pts = stamps.last or (None, None)
        if self._is_mov and last_pts is not None and end_pts is not None and stream.duration:
            # The edit list may end within a packet. FFmpeg 9 cuts there by the length of the track, without the start
            # that an empty edit gives it; what it cuts too much is cut with every version, so that tables are equal.
            for listed in ((stream.start_time or 0) + stream.duration, stream.duration):
                end_pts = listed if last_pts < listed < end_pts else end_pts
        return SoundTrack(stream=stream.index, last_pts=last_pts, end_pts=end_pts, offsets=stamps.offsets())
