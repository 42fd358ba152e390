"""Videos as browsers play them: as they are where that is possible, otherwise encoded anew.

Many programs write MPEG-4 part 2 (OpenCV's `mp4v`) or 4:4:4 H.264, of which browsers show nothing.
"""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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

    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UnusableVideosError(
                f"{path} has {size // 1_000_000} MB, and a video to be rated has {_MOST_BYTES // 1_000_000} MB at "
                "most; cut it"
            )
        content = path.read_bytes()
        with av.open(io.BytesIO(content), mode="r") as stored:
            _check_size(path, stored)
            has_sound = bool(stored.streams.audio)
            if next(stored.decode(video=0), None) is None:
                raise UnusableVideosError(f"{path} holds no picture; leave it out")
            if not _plays(path, stored):
                stored.seek(0)
                return WebVideo(content=_encoded(stored), kind="video/mp4", has_sound=has_sound, encoded_anew=True)
    except OSError as error:
        raise UnusableVideosError(f"{path} cannot be read: {error.strerror or error}; leave it out") from error
    except av.FFmpegError as error:
        raise UnusableVideosError(f"{path} cannot be decoded: {error.strerror}; leave it out") from error
    kind: Literal["video/mp4", "video/webm"] = "video/webm" if path.suffix.lower() == ".webm" else "video/mp4"
    return WebVideo(content=content, kind=kind, has_sound=has_sound, encoded_anew=False)


def _check_size(path: Path, stored: "InputContainer") -> None:
    if not stored.streams.video:
        raise UnusableVideosError(f"{path} has no pictures; leave it out")
    stream = stored.streams.video[0]
    duration_s = (stored.duration or 0) / _UNITS_PER_S
    if duration_s > _LONGEST_S or max(stream.width, stream.height) > _LARGEST_PX:
        raise UnusableVideosError(
            f"{path} has {stream.width}x{stream.height} pixels and {duration_s:.0f} s; a video to be rated has "
            f"{_LARGEST_PX} pixels a side and {_LONGEST_S} s at most"
        )


def _plays(path: Path, stored: "InputContainer") -> bool:
    pictures, sound = _PLAYED.get(path.suffix.lower(), (set(), set()))
    stream = stored.streams.video[0]
    return (
        stream.codec.canonical_name in pictures
        and stream.codec_context.pix_fmt in _EIGHT_BIT
        and all(one.codec.canonical_name in sound for one in stored.streams.audio[:1])
    )


def _encoded(stored: "InputContainer") -> bytes:
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
        for frame in stored.decode(video=0):
            picture = frame.reformat(pictures.width, pictures.height, "yuv420p")
            picture.pict_type = av.video.frame.PictureType.NONE
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        if sound is not None:
            stored.seek(0)
            _encode_sound(stored, output, sound)
    return content.getvalue()


def _encode_sound(stored: "InputContainer", output: "OutputContainer", sound: "AudioStream") -> None:
    import av

    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=_SOUND_HZ, frame_size=_SOUND_BLOCK)
    for frame in stored.decode(audio=0):
        for block in resampler.resample(frame):
            output.mux(sound.encode(block))
    for block in resampler.resample(None):
        output.mux(sound.encode(block))
    output.mux(sound.encode(None))
