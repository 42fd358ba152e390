"""Opening of media files and reading of their packets, damaged ones too. The only module that opens inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from curation.media.errors import MediaError
from curation.media.remote import RemoteMedia
from foundation.storage.locations import is_remote

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream

__all__ = ["best_audio_stream", "best_video_stream", "open_media", "packets"]

_TEXT_FORMATS = frozenset({"tty", "hls", "concat", "dash", "sdp", "rtsp", "imf", "bin", "adf", "idf", "xbin", "txd"})
"""FFmpeg demuxers that would render a text file as an image, or follow addresses written in one."""

_MAX_READ_ERRORS_IN_A_ROW = 64
"""Reading ends after this many failures of the demuxer without a packet between them."""


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a file for reading, a remote one by ranges; no address inside it is followed.

    Raises:
        MediaError: `unreadable` where no container format fits, or the file cannot be opened; `unreachable` where a
            storage failed, even while packets are read: the demuxer would treat it as damage.
    """
    if is_remote(path):
        with RemoteMedia(path) as remote, _opened(remote, path) as container:
            yield container
        return
    try:
        if path.stat().st_size == 0:
            raise MediaError("unreadable", f"{path} is empty (0 bytes)")
    except OSError as error:
        raise MediaError("unreadable", f"{path} cannot be opened as a media file: {error}") from error
    # An absolute path cannot be taken for an address with a protocol.
    with _opened(str(path.absolute()), path) as container:
        yield container


@contextmanager
def _opened(file: str | RemoteMedia, path: Path) -> Iterator[InputContainer]:
    try:
        container = av.open(file, mode="r", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError("unreadable", f"{path} cannot be opened as a media file: {error}") from error
    with container:
        if _TEXT_FORMATS & set(container.format.name.split(",")):
            raise MediaError("unreadable", f"{path} is a text file, not a media file")
        yield container


def best_video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the default video stream, or the largest where none is the default; cover images do not count.

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
    return max(
        decodable,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
        ),
    )


def best_audio_stream(container: InputContainer) -> AudioStream | None:
    """Return the default audio track, or the first, or None; tracks without a decoder are ignored."""
    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    return next((track for track in tracks if track.disposition & Disposition.default), tracks[0] if tracks else None)


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
        except (av.FFmpegError, OSError):
            failures += 1
        else:
            return
