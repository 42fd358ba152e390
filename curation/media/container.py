"""Opening of media files and reading of their packets, damaged ones too. The only module that opens inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from curation.media.errors import MediaError
from curation.media.packets.byte_ranges import ByteRange, RangeFile
from curation.media.packets.programmes import programmes
from curation.media.remote import RemoteMedia
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import open_regular, require_regular

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = [
    "MOST_PIXELS",
    "audio_streams_of",
    "best_audio_stream",
    "best_video_stream",
    "exact",
    "open_media",
    "packets",
]

_TEXT_FORMATS = frozenset(
    {"tty", "hls", "concat", "dash", "sdp", "rtsp", "imf", "bin", "adf", "idf", "xbin", "txd"}
    | {"lavfi", "avisynth", "vapoursynth"}
)
"""FFmpeg demuxers that would render a text file as an image, run it as a script, or open what is named in it."""

_MAX_READ_ERRORS_IN_A_ROW = 64
"""Reading ends after this many failures of the demuxer without a packet between them."""


MOST_PIXELS = 2**26
"""Pixels of the largest picture that is decoded, twice those of 8K: a header of a few bytes can claim more, and every
picture that the decoder keeps would then take half a gigabyte."""

_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(sorted(av.formats_available - _TEXT_FORMATS)),
    "max_pixels": str(MOST_PIXELS),
}
"""Options of FFmpeg. They hold from the first byte on: a list of files would otherwise be followed, and a picture be
decoded, before what was opened can be looked at."""

_READS_ALL_TAGS = int(av.__version__.split(".")[0]) >= 19
"""Whether PyAV reads tags that are no UTF-8 without being told to; the argument for it is gone then."""


@contextmanager
def open_media(path: Path, held: ByteRange | None = None) -> Iterator[InputContainer]:
    """Open a file for reading, a remote one by ranges; no address inside it is followed.

    Args:
        path: the file.
        held: the bytes of it that hold the recording, where it holds several; None: all of it.

    Raises:
        MediaError: `unreadable` where no container format fits, or the file cannot be opened; `unreachable` where a
            storage failed, even while packets are read: the demuxer would treat it as damage.
    """
    if is_remote(path):
        with RemoteMedia(path) as remote, _opened(RangeFile(remote, held) if held else remote, path) as container:
            yield container
        return
    try:
        require_regular(path)
        if path.stat().st_size == 0:
            raise MediaError("unreadable", f"{path} is empty (0 bytes)")
        file = open_regular(path) if held else None
    except OSError as error:
        raise MediaError("unreadable", f"{path} cannot be opened as a media file: {error}") from error
    if file is not None and held is not None:
        with file, _opened(RangeFile(file, held), path) as container:
            yield container
        return
    # An absolute path cannot be taken for an address with a protocol.
    with _opened(str(path.absolute()), path) as container:
        yield container


@contextmanager
def _opened(file: str | RemoteMedia | RangeFile, path: Path) -> Iterator[InputContainer]:
    try:
        if _READS_ALL_TAGS:
            container = av.open(file, mode="r", options=_OPTIONS)
        else:
            container = av.open(file, mode="r", options=_OPTIONS, metadata_errors="replace")
    except av.error.ArgumentError as error:
        raise MediaError("unreadable", f"{path} is a text file, or no media file that can be read") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError("unreadable", f"{path} cannot be opened as a media file: {error}") from error
    with container:
        for stream in container.streams.video:
            if stream.codec_context is not None:
                stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        yield container


class _Ratio(Protocol):
    """A `fractions.Fraction`, or the class that PyAV 19 returns in its place."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def exact(ratio: _Ratio | None) -> Fraction | None:
    """Return a time base, rate or aspect of PyAV as a fraction; None where it is not set, for PyAV then has None or 0.

    PyAV 18 returns fractions, 19 a class of its own, whose products with each other are of that class.
    """
    return Fraction(ratio.numerator, ratio.denominator) if ratio else None


def best_video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the default video stream, or the largest where none is the default; cover images do not count.

    Of a transport stream, only the programmes count that its first tables name: others may begin later.

    Raises:
        MediaError: `no_video_stream` where there is none, or the file is a still image; `unreadable` where there
            is no decoder for it.
    """
    names = container.format.name.split(",")
    if any(name == "image2" or name.endswith("_pipe") for name in names):
        raise MediaError("no_video_stream", f"{path} is a still image ({container.format.name}), not a video")
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & still]
    if not moving:
        kinds = ", ".join(stream.type for stream in container.streams) or "no streams at all"
        raise MediaError("no_video_stream", f"{path} holds no video stream, only: {kinds}")
    decodable = [stream for stream in moving if stream.codec_context is not None]
    if not decodable:
        raise MediaError("unreadable", f"{path} has a video stream in a format for which there is no decoder")
    listed = frozenset[int]().union(*programmes(container)) if len(decodable) > 1 else frozenset()
    return max(
        [stream for stream in decodable if stream.id in listed] or decodable,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
        ),
    )


def audio_streams_of(container: InputContainer, video: VideoStream | None) -> list[AudioStream]:
    """Return the audio tracks that belong to a video stream, default ones first; tracks without a decoder are ignored.

    A transport stream may carry several programmes: then only the tracks of the video's own count. Without a video,
    all tracks are returned.
    """
    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    if video is not None and tracks and len(tracks) + len(container.streams.video) > 2:
        own = frozenset[int]().union(*(pids for pids in programmes(container) if video.id in pids))
        tracks = [track for track in tracks if not own or track.id in own]
    return sorted(tracks, key=lambda track: not track.disposition & Disposition.default)


def best_audio_stream(container: InputContainer, video: VideoStream | None) -> AudioStream | None:
    """Return the default one of `audio_streams_of`, or the first, or None."""
    return next(iter(audio_streams_of(container, video)), None)


def packets(container: InputContainer, *streams: "Stream") -> "Iterator[Packet[Stream]]":
    """Yield the packets of `streams` (all streams where none is named), going on after damaged places.

    The last packets are empty: decoding them flushes the decoders.
    """
    failures = 0
    while failures < _MAX_READ_ERRORS_IN_A_ROW:
        try:
            for packet in container.demux(*streams):
                failures = 0
                yield packet
        except (av.FFmpegError, OSError, IndexError):  # IndexError: of a stream that was not there at the beginning
            failures += 1
        else:
            return
