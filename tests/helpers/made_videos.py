"""Videos made on the spot, whose truth is known: counted pictures, flashes with beeps, damage.

Tests import it by name; the conftest of tests/ puts it among the loaded modules. No function here reads what our own
code decodes; times are exact fractions of a second.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from foundation.array_types import Float32Array, RgbImage

COUNT_BITS = 12
VARIABLE_STEPS_MS = (33, 34, 50, 16, 67, 40, 60, 20, 100, 30, 50, 33, 67, 40, 60, 20, 80, 40, 100, 60)
"""Durations of the frames of a variable-rate video: 1 s in all, so that a frame begins at every full second."""


def counted_picture(number: int, width_px: int = 320, height_px: int = 192) -> RgbImage:
    """Return a grey image whose upper half holds `number` as 12 black or white bars, highest bit on the left.

    The lower half is dark red on the left and dark blue on the right, so that rotation and mirroring are visible.
    """
    picture = np.full((height_px, width_px, 3), 96, np.uint8)
    edges = np.linspace(0, width_px, COUNT_BITS + 1).round().astype(int)
    for bit in range(COUNT_BITS):
        lit = number >> (COUNT_BITS - 1 - bit) & 1
        picture[: height_px // 2, edges[bit] : edges[bit + 1]] = 235 if lit else 16
    picture[height_px // 2 :, : width_px // 2] = (150, 20, 20)
    picture[height_px // 2 :, width_px // 2 :] = (20, 20, 150)
    return picture


def read_count(picture: RgbImage) -> int:
    """Return the number that `counted_picture` wrote, from an image of any size."""
    height, width = picture.shape[:2]
    edges = np.linspace(0, width, COUNT_BITS + 1)
    number = 0
    for left, right in pairwise(edges):
        bar = picture[height // 8 : height * 3 // 8, int(left * 0.7 + right * 0.3) : int(left * 0.3 + right * 0.7) + 1]
        number = number * 2 + int(bar.mean() > 128)
    return number


@dataclass(frozen=True, kw_only=True)
class TalkingFace:
    """A calm, frontal, speaking face, which satisfies all rules of tier `diffusion`."""

    pictures: tuple[RgbImage, ...]
    """25 per second, 320x320 px; the face is 154 px wide and in the middle, so that a crop shows the complete image."""
    voice: Float32Array
    """(S,) 48 kHz mono, from the first frame on."""

    def at(self, time_s: float | Fraction) -> RgbImage:
        """Return the frame at a time."""
        return self.pictures[min(len(self.pictures) - 1, int(time_s * 25))]

    def sound(self, start_s: float = 0.0, end_s: float = 8.0) -> "Sound":
        """Return the voice from one time to another as a track that begins at the first one."""
        return Sound(samples=self.voice[round(start_s * 48_000) : round(end_s * 48_000)], start_s=Fraction(start_s))


def talking_face(sample: Path) -> TalkingFace:
    """Cut the first 8 s, a good stretch, out of samples/talking_astronaut.mp4."""
    with av.open(str(sample)) as container:
        frames = (frame.reformat(format="rgb24").to_ndarray() for frame in container.decode(video=0))
        cropped = [frame[24:424, :400] for _, frame in zip(range(200), frames, strict=False)]
    pictures = [av.VideoFrame.from_ndarray(np.ascontiguousarray(p), format="rgb24") for p in cropped]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
    with av.open(str(sample)) as container:
        voice = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return TalkingFace(
        pictures=tuple(picture.reformat(width=320, height=320).to_ndarray() for picture in pictures),
        voice=np.concatenate(voice)[: 8 * 48_000],
    )


def frame_times(fps: Fraction, n_frames: int) -> list[Fraction]:
    """Return the times of `n_frames` frames at a constant rate."""
    return [number / fps for number in range(n_frames)]


def variable_times(duration_s: int) -> list[Fraction]:
    """Return the frame times of a variable-rate video of a whole number of seconds."""
    starts = np.concatenate([[0], np.cumsum(VARIABLE_STEPS_MS)])[:-1]
    return [Fraction(second) + Fraction(int(start), 1000) for second in range(duration_s) for start in starts]


@dataclass(frozen=True, kw_only=True)
class Sound:
    """An audio track, (S,) mono or (2, S) stereo samples in -1 to 1, that starts `start_s` after the first frame."""

    samples: Float32Array
    rate_hz: int = 48_000
    start_s: Fraction = Fraction(0)
    codec: str = "aac"


@dataclass(frozen=True, kw_only=True)
class Coding:
    """Encoding of the frames by `write_video`; the defaults are a plain H.264 file without B-frames."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"preset": "veryfast", "bf": "0", "g": "12", "crf": "16"})
    time_base: Fraction = Fraction(1, 90_000)
    rate: Fraction = Fraction(25)
    """Rate in the header; it does not affect the times of the frames."""
    turn_deg: int = 0
    """Counterclockwise rotation for the player, from the header."""
    pixel_aspect: Fraction = Fraction(1)
    colour: tuple[int, int, int, int] | None = None
    """Matrix, range, transfer and primaries to tag, numbers of ITU-T H.273 (range: 1 limited, 2 full)."""
    muxer_options: dict[str, str] = field(default_factory=dict)
    start_s: Fraction = Fraction(0)
    """Time stamp of the first frame."""


def write_video(
    path: Path,
    times_s: Sequence[Fraction],
    pictures: Iterable[RgbImage],
    *,
    coding: Coding | None = None,
    sound: Sound | None = None,
) -> Path:
    """Write `pictures`, shown from `times_s` on, and `sound`; the suffix of `path` chooses the container."""
    coding = coding or Coding()
    pictures = iter(pictures)
    first = next(pictures)
    # avoid_negative_ts would move a late or early start of one track to the other
    with av.open(str(path), "w", options={"avoid_negative_ts": "make_non_negative"} | coding.muxer_options) as output:
        video = output.add_stream(coding.codec, rate=coding.rate, options=coding.options)
        video.height, video.width = first.shape[:2]
        video.pix_fmt = coding.pix_fmt
        video.codec_context.time_base = coding.time_base
        video.codec_context.thread_count = 1
        video.codec_context.sample_aspect_ratio = coding.pixel_aspect
        if coding.colour is not None:
            context = video.codec_context
            context.colorspace, context.color_range, context.color_trc, context.color_primaries = coding.colour
        if coding.turn_deg:
            video.set_display_rotation(coding.turn_deg)
        packets = []
        audio = output.add_stream(sound.codec, rate=sound.rate_hz, layout=_layout(sound)) if sound else None
        for time_s, picture in zip(times_s, [first, *pictures], strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = _coloured(frame, coding)
            frame.pts = round((coding.start_s + time_s) / coding.time_base)
            frame.time_base = coding.time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        if audio is not None and sound is not None:
            packets += _encode_sound(audio, sound, coding.start_s)
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for packet in packets:
            output.mux(packet)
    return path


def _coloured(frame: av.VideoFrame, coding: Coding) -> av.VideoFrame:
    matrix = coding.colour[0] if coding.colour else 5
    colour_range = coding.colour[1] if coding.colour else 1
    frame = frame.reformat(
        format=coding.pix_fmt, dst_colorspace=matrix, src_color_range=2, dst_color_range=colour_range, threads=1
    )
    if coding.colour:
        frame.color_trc, frame.color_primaries = coding.colour[2:]
    return frame


def _layout(sound: Sound) -> str:
    return "mono" if sound.samples.ndim == 1 else "stereo"


def _encode_sound(stream: av.AudioStream, sound: Sound, start_s: Fraction) -> list[av.Packet]:
    packets = []
    begin = round((start_s + sound.start_s) * sound.rate_hz)
    samples = np.atleast_2d(sound.samples)
    for offset in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, offset : offset + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_layout(sound))
        frame.rate, frame.pts, frame.time_base = sound.rate_hz, begin + offset, Fraction(1, sound.rate_hz)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def counted_video(
    path: Path, times_s: Sequence[Fraction], *, coding: Coding | None = None, sound: Sound | None = None
) -> Path:
    """Write a video whose frame number k, shown from `times_s[k]` on, carries the number k."""
    return write_video(path, times_s, (counted_picture(k) for k in range(len(times_s))), coding=coding, sound=sound)


def talking_video(
    path: Path,
    face: TalkingFace,
    times_s: Sequence[Fraction],
    *,
    coding: Coding | None = None,
    sound: Sound | None = None,
    change: Callable[[RgbImage], RgbImage] = np.ascontiguousarray,
) -> Path:
    """Write a video of `face` with frames at `times_s`, each after `change`."""
    pictures = (change(face.at(time_s)) for time_s in times_s)
    return write_video(path, times_s, pictures, coding=coding, sound=sound)


@dataclass(frozen=True, kw_only=True)
class SmallRun:
    """A folder of videos and the dataset that a run with the settings of preset `embedded` made of it."""

    source: Path
    dataset: Path


@dataclass(frozen=True, kw_only=True)
class BeepFlash:
    """A video in which every flash begins with a beep."""

    path: Path
    event_times_s: tuple[float, ...]
    """Times at which flash and beep begin, after the first frame; each is the exact time of a frame."""
    duration_s: float


def beep_flash_video(
    path: Path,
    fps: Fraction | None,
    audio_offset_ms: int = 0,
    *,
    wanted_s: Sequence[float] = (1.0, 2.0, 3.0, 4.0),
    duration_s: int = 5,
    picture: Callable[[float], RgbImage] | None = None,
    flash_box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    base_sound: Float32Array | None = None,
    coding: Coding | None = None,
) -> BeepFlash:
    """Write a video with a white flash and a 1 kHz beep, 0.2 s each, at the frames nearest to `wanted_s`.

    Args:
        fps: None for a variable rate.
        audio_offset_ms: start of the audio track after the first frame; the beeps stay at the flashes.
        picture: image at a time in seconds; plain grey where None.
        flash_box: x0, y0, x1, y1 of the flash, shares of the frame.
        base_sound: 48 kHz mono from the first frame on, with the beeps in place of it; silence where None.
    """
    times_s = variable_times(duration_s) if fps is None else frame_times(fps, int(duration_s * fps))
    events = [min(times_s, key=lambda time_s, wanted=wanted: abs(time_s - Fraction(wanted))) for wanted in wanted_s]

    def frame_at(time_s: Fraction) -> RgbImage:
        image = np.full((192, 320, 3), 60, np.uint8) if picture is None else picture(float(time_s)).copy()
        if any(event <= time_s < event + Fraction(1, 5) for event in events):
            height, width = image.shape[:2]
            x0, y0, x1, y1 = flash_box
            image[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = 255
        return image

    rate_hz = 48_000
    samples = np.zeros(duration_s * rate_hz, np.float32)
    if base_sound is not None:
        n_base = min(len(samples), len(base_sound))
        samples[:n_base] = base_sound[:n_base]
    beep = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz // 5) / rate_hz)
    for event in events:
        begin = round(event * rate_hz)
        samples[begin : begin + len(beep)] = beep[: len(samples) - begin]
    skipped = round(audio_offset_ms * rate_hz / 1000)
    track = samples[skipped:] if skipped >= 0 else np.concatenate([np.zeros(-skipped, np.float32), samples])
    sound = Sound(samples=track, rate_hz=rate_hz, start_s=Fraction(audio_offset_ms, 1000))
    coding = coding or Coding(rate=fps or Fraction(25))
    write_video(path, times_s, (frame_at(time_s) for time_s in times_s), coding=coding, sound=sound)
    return BeepFlash(path=path, event_times_s=tuple(map(float, events)), duration_s=float(duration_s))
