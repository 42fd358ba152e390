"""Videos as browsers play them: as they are where that is possible, otherwise encoded anew.

Many programs write MPEG-4 part 2 (OpenCV's `mp4v`) or 4:4:4 H.264, of which browsers show nothing.
"""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foundation.storage.regular_files import FileTooLargeError, NotRegularFileError, read_small
from training.ratings.rated_videos import UnusableVideosError

if TYPE_CHECKING:
    from av import AudioStream
    from av.container import InputContainer, OutputContainer

__all__ = ["WebVideo", "web_video"]

_MOST_BYTES = 100_000_000

_LONGEST_S = 600

_LARGEST_PX = 4096

_UNITS_PER_S = 1_000_000
"""Of the duration that libav states of a file."""

_MOST_PICTURES = 240 * _LONGEST_S

_OPTIONS = {
    "protocol_whitelist": "none",
    "format_whitelist": "asf,avi,flv,matroska,mov,mpeg,mpegts,ogg",
    "max_pixels": str(_LARGEST_PX**2),
}
"""Options of FFmpeg: a text in place of a video could name other files and addresses, which would be opened."""

_QUALITY = "12"
"""Constant rate factor of H.264; differences to the original cannot be seen."""

_SOUND_HZ, _SOUND_BPS, _SOUND_BLOCK = 48_000, 192_000, 1024

_EIGHT_BIT = frozenset({"yuv420p", "yuvj420p"})

_PLAYED = {
    ".mp4": ({"h264", "av1", "vp9"}, {"aac", "mp3", "opus"}),
    ".m4v": ({"h264"}, {"aac", "mp3"}),
    ".webm": ({"vp8", "vp9", "av1"}, {"opus", "vorbis"}),
}
"""Codecs of pictures and sound that browsers play, by suffix."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebVideo:
    """A video that a browser plays."""

    content: bytes
    kind: Literal["video/mp4", "video/webm"]
    has_sound: bool
    encoded_anew: bool

    @property
    def suffix(self) -> str:
        """Of a file with the content."""
        return f".{self.kind.removeprefix('video/')}"


def web_video(path: Path) -> WebVideo:
    """Return a video as it is, or as H.264 and AAC where browsers do not play it.

    Raises:
        UnusableVideosError: the file cannot be read or decoded, or is too large or too long.
    """
    import av

    content = _content(path)
    try:
        with av.open(io.BytesIO(content), mode="r", options=_OPTIONS) as stored:
            _check_size(path, stored)
            stored.streams.video[0].codec_context.options = {"max_pixels": _OPTIONS["max_pixels"]}
            has_sound = bool(stored.streams.audio)
            _require_picture(path, stored)
            if not _plays(path, stored):
                stored.seek(0)
                made = _encoded(path, stored)
                return WebVideo(content=made, kind="video/mp4", has_sound=has_sound, encoded_anew=True)
    except UnusableVideosError:
        raise
    except av.FFmpegError as error:
        raise UnusableVideosError(f"{path} cannot be decoded: {error.strerror}; leave it out") from error
    except ValueError as error:  # such as tags that are no text
        raise UnusableVideosError(f"{path} cannot be decoded: {error}; leave it out") from error
    kind: Literal["video/mp4", "video/webm"] = "video/webm" if path.suffix.lower() == ".webm" else "video/mp4"
    return WebVideo(content=content, kind=kind, has_sound=has_sound, encoded_anew=False)


def _content(path: Path) -> bytes:
    try:
        return read_small(path, _MOST_BYTES)
    except FileTooLargeError as error:
        raise UnusableVideosError(
            f"{path} has more than {_MOST_BYTES // 1_000_000} MB, the most of a video to be rated; cut it"
        ) from error
    except NotRegularFileError as error:
        raise UnusableVideosError(f"{error}; leave it out") from error
    except OSError as error:
        raise UnusableVideosError(f"{path} cannot be read: {error.strerror or error}; leave it out") from error


def _check_size(path: Path, stored: "InputContainer") -> None:
    if not stored.streams.video:
        raise UnusableVideosError(f"{path} has no pictures; leave it out")
    stream = stored.streams.video[0]
    if stream.codec_context is None:
        raise UnusableVideosError(f"{path} has pictures in a format for which there is no decoder; leave it out")
    duration_s = (stored.duration or 0) / _UNITS_PER_S
    if duration_s > _LONGEST_S or max(stream.width, stream.height) > _LARGEST_PX:
        raise UnusableVideosError(
            f"{path} has {stream.width}x{stream.height} pixels and {duration_s:.0f} s; a video to be rated has "
            f"{_LARGEST_PX} pixels a side and {_LONGEST_S} s at most"
        )


def _require_picture(path: Path, stored: "InputContainer") -> None:
    if next(stored.decode(video=0), None) is None:
        raise UnusableVideosError(f"{path} holds no picture; leave it out")


def _plays(path: Path, stored: "InputContainer") -> bool:
    pictures, sound = _PLAYED.get(path.suffix.lower(), (set(), set()))
    stream = stored.streams.video[0]
    return (
        stream.codec.canonical_name in pictures
        and stream.codec_context.pix_fmt in _EIGHT_BIT
        and all(one.codec.canonical_name in sound for one in stored.streams.audio[:1])
    )


def _encoded(path: Path, stored: "InputContainer") -> bytes:
    import av

    content = io.BytesIO()
    with av.open(content, mode="w", format="mp4") as output:
        shown = stored.streams.video[0]
        pictures = output.add_stream(
            "libx264", rate=shown.average_rate or Fraction(25), options={"crf": _QUALITY, "preset": "veryfast"}
        )
        pictures.width, pictures.height = max(2, shown.width // 2 * 2), max(2, shown.height // 2 * 2)
        pictures.pix_fmt = "yuv420p"
        if shown.time_base is not None:
            pictures.codec_context.time_base = shown.time_base
        sound = output.add_stream("aac", rate=_SOUND_HZ, layout="stereo") if stored.streams.audio else None
        if sound is not None:
            sound.bit_rate = _SOUND_BPS
        for number, frame in enumerate(stored.decode(video=0)):
            _check_rest(path, number, frame.time, content)
            picture = frame.reformat(pictures.width, pictures.height, "yuv420p")
            picture.pict_type = av.video.frame.PictureType.NONE
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        if sound is not None:
            stored.seek(0)
            _encode_sound(stored, output, sound)
    return content.getvalue()


def _check_rest(path: Path, number: int, time_s: float | None, content: io.BytesIO) -> None:
    """Refuse a video that turns out to be longer than its header states, or much larger when it is encoded."""
    if number >= _MOST_PICTURES or (time_s or 0.0) > _LONGEST_S or content.tell() > _MOST_BYTES:
        raise UnusableVideosError(
            f"{path} has more than {_LONGEST_S} s, {_MOST_PICTURES:,} pictures, or {_MOST_BYTES // 1_000_000} MB as a "
            "browser plays it; cut it"
        )


def _encode_sound(stored: "InputContainer", output: "OutputContainer", sound: "AudioStream") -> None:
    import av

    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_SOUND_HZ, frame_size=_SOUND_BLOCK)
    for frame in stored.decode(audio=0):
        for block in resampler.resample(frame):
            output.mux(sound.encode(block))
    for block in resampler.resample(None):
        output.mux(sound.encode(block))
    output.mux(sound.encode(None))
