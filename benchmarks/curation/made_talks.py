"""Videos of two people in talk, made of two videos of one speaker each, so that it is known who speaks when.

Each person has half of the frame. Who speaks is shown with his own sound; who listens is shown either with a stretch of
his own in which he is silent, forth and back, or talking on without his sound. For some turns the frame shows the
listener alone, between black bars.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from curation.evidence.measures import Evidence
from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo
from foundation.array_types import Float32Array, Float64Array, Int64Array, RgbImage
from manifests.timeline import TICK_RATE_HZ

__all__ = ["HALF_PX", "MadeTalk", "Person", "Turn", "person", "write_talk"]

HALF_PX = 320
"""Side of the square that shows a person; a frame has two."""

_RATE_HZ = 48_000

_FACE_SHARE = 0.45
"""Width of the face over that of the square."""

_BLEND_TICKS = 6
"""Ticks in which a person's picture passes from one stretch of his video to another, so that there is no cut."""

_LEVEL = 0.06
"""Root mean square of each voice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A part of a talk."""

    speaks: str
    """Who is heard: ``a``, ``b``, ``ab`` for both, or nothing for nobody."""
    seconds: float
    shows: str = "ab"
    """Who is seen."""


@dataclass(kw_only=True, slots=True)
class Person:
    """A speaker, and which of his ticks were used already."""

    info: VideoInfo
    box_px: Float32Array
    """(T, 4) his face; NaN where it was not found."""
    talks: tuple[int, int]
    """Stretch in which he talks, ticks."""
    rests: tuple[int, int]
    """Stretch in which he is silent and his lips are at rest."""
    quiet: Float64Array
    """(T,) how quiet it is around each tick: cuts between turns lie where it is quiet."""
    gain: float
    used: int = 0
    """Ticks of `talks` that were used."""
    loud: Float32Array = field(repr=False)
    """(S,) the sound of `talks`."""

    def says(self, seconds: float) -> Int64Array:
        """Return the ticks of his next words, of about so many seconds, up to a pause."""
        first = self.talks[0] + self.used
        target = first + round(seconds * TICK_RATE_HZ)
        near = np.arange(target - 15, min(target + 15, self.talks[1]) + 1)
        end = int(near[np.argmax(self.quiet[near])])
        self.used = end - self.talks[0]
        return np.arange(first, end)

    def sound(self, ticks: Int64Array) -> Float32Array:
        """Return the sound of adjacent ticks of `talks`."""
        step = _RATE_HZ // int(TICK_RATE_HZ)
        first = (int(ticks[0]) - self.talks[0]) * step
        return self.gain * self.loud[first : first + len(ticks) * step]


def person(info: VideoInfo, evidence: Evidence, talks: tuple[int, int]) -> Person:
    """Return a speaker by the evidence of his video.

    Args:
        info: his video, in which there is one face.
        evidence: of it.
        talks: ticks in which he talks all the time.
    """
    faces, n = evidence.faces, len(evidence)
    box = np.full((n, 4), np.nan, np.float32)
    aperture = np.full(n, np.nan)
    widest_first = np.arange(len(faces))[::-1]
    box[faces.tick[widest_first]] = faces.box_px[widest_first]
    aperture[faces.tick[widest_first]] = faces.lip_aperture[widest_first]
    if evidence.speech_prob is None or evidence.loudness_dbfs is None:
        raise ValueError(f"{info.path} has no sound")
    kernel = np.ones(5) / 5
    quiet = -np.convolve(np.maximum(evidence.loudness_dbfs, -70.0), kernel, "same")
    loud = tick_audio(info, *talks, _RATE_HZ)
    if loud is None:
        raise ValueError(f"{info.path} has no sound")
    return Person(
        info=info,
        box_px=box,
        talks=talks,
        rests=_rest(aperture, evidence.speech_prob),
        quiet=quiet,
        gain=_LEVEL / float(np.sqrt(np.mean(loud**2))),
        loud=loud,
    )


def _rest(aperture: Float64Array, speech_prob: Float32Array) -> tuple[int, int]:
    """Return the stretch of 0.5 s without speech in which the lips move least, made longer while they rest."""
    length = 13
    best, found = np.inf, (0, length)
    for first in range(len(aperture) - length):
        part = slice(first, first + length)
        if np.isnan(aperture[part]).any() or speech_prob[part].max() > 0.3:
            continue
        restless = float(aperture[part].std() + 0.2 * aperture[part].mean())  # closed lips rather than parted ones
        if restless < best:
            best, found = restless, (first, first + length)
    first, end = found
    middle = np.median(aperture[first:end])
    while end < len(aperture) and speech_prob[end] < 0.3 and abs(aperture[end] - middle) < 0.01 and end - first < 75:
        end += 1
    return first, end


@dataclass(kw_only=True, slots=True)
class MadeTalk:
    """A talk of two people whose truth is known."""

    speaks: list[str]
    """Who speaks on each tick, as in `Turn`."""
    shows: list[str]
    """Who is seen on each tick."""


def write_talk(
    path: Path, people: tuple[Person, Person], turns: Sequence[Turn], *, mute_lips: bool = False
) -> MadeTalk:
    """Write a talk, and return its truth.

    Args:
        path: MP4 file.
        people: the one on the left, ``a``, and the one on the right, ``b``.
        turns: who speaks and who is seen, one after the other, with a short silence between.
        mute_lips: who listens is shown talking, without his sound.
    """
    truth = MadeTalk(speaks=[], shows=[])
    ticks: tuple[list[Int64Array], list[Int64Array]] = ([], [])
    sound: list[Float32Array] = []
    step = _RATE_HZ // int(TICK_RATE_HZ)
    listened = [0, 0]
    for turn in [part for one in turns for part in (one, Turn(speaks="", seconds=0.28, shows=one.shows))]:
        said = [one.says(turn.seconds) if name in turn.speaks else None for name, one in zip("ab", people, strict=True)]
        n = min((len(one) for one in said if one is not None), default=round(turn.seconds * TICK_RATE_HZ))
        heard = np.zeros(n * step, np.float32)
        for number, (one, own) in enumerate(zip(people, said, strict=True)):
            if own is not None:
                ticks[number].append(own[:n])
                heard += one.sound(own[:n])
            else:
                ticks[number].append(_listening(one, n, listened[number], mute_lips=mute_lips))
                listened[number] += n
        sound.append(heard)
        truth.speaks += [turn.speaks] * n
        truth.shows += [turn.shows] * n
    halves = [_pictures(one, own) for one, own in zip(people, ticks, strict=True)]
    _write(path, _frames(halves, truth.shows), np.concatenate(sound))
    return truth


def _listening(one: Person, n: int, before: int, *, mute_lips: bool) -> Int64Array:
    """Return ticks of a person who listens: his stretch at rest forth and back, or his talk from its end backwards."""
    if mute_lips:
        first = max(one.talks[0], one.talks[1] - before - n)
        return np.arange(first, first + n)
    first, end = one.rests
    period = 2 * (end - first - 1)
    phase = (before + np.arange(n)) % period
    return first + np.minimum(phase, period - phase)


def _pictures(one: Person, parts: Sequence[Int64Array]) -> list[RgbImage]:
    """Return the square pictures of a person, one per tick, blended where one part passes into another."""
    wanted = np.unique(np.concatenate([np.append(part, part[-1] + np.arange(1, _BLEND_TICKS + 1)) for part in parts]))
    wanted = wanted[wanted < one.info.n_ticks]
    side = round(float(np.nanmedian(one.box_px[:, 2] - one.box_px[:, 0])) / _FACE_SHARE)
    centres = [np.nanmedian(one.box_px[part].reshape(-1, 2, 2).mean(axis=1), axis=0) for part in parts]
    needed: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        for tick in {*part.tolist(), *(part[-1] + np.arange(1, _BLEND_TICKS + 1)).tolist()}:
            needed.setdefault(min(tick, one.info.n_ticks - 1), []).append(number)
    squares: dict[tuple[int, int], RgbImage] = {}
    for frame in tick_frames(one.info, int(wanted[0]), int(wanted[-1]) + 1):
        for number in needed.get(frame.tick, ()):
            if frame.rgb is not None:
                squares[number, frame.tick] = _square(frame.rgb, centres[number], side)
    shown: list[RgbImage] = []
    for number, part in enumerate(parts):
        own = [squares[number, tick] for tick in part.tolist()]
        if number:
            last = int(parts[number - 1][-1])
            for k in range(min(_BLEND_TICKS, len(own))):
                old = squares[number - 1, min(last + 1 + k, one.info.n_ticks - 1)]
                share = (k + 1) / (_BLEND_TICKS + 1)
                own[k] = np.rint((1 - share) * old + share * own[k]).astype(np.uint8)
        shown += own
    return shown


def _square(frame: RgbImage, centre: Float64Array, side: int) -> RgbImage:
    import cv2

    x0, y0 = np.rint(np.asarray(centre) - side / 2).astype(int)
    rows = np.clip(np.arange(y0, y0 + side), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(x0, x0 + side), 0, frame.shape[1] - 1)
    inside = frame[rows[:, None], columns]
    method = cv2.INTER_AREA if side >= HALF_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, (HALF_PX, HALF_PX), interpolation=method), dtype=np.uint8)


def _frames(halves: Sequence[Sequence[RgbImage]], shows: Sequence[str]) -> Iterator[RgbImage]:
    for left, right, shown in zip(*halves, shows, strict=True):
        if shown == "ab":
            yield np.concatenate([left, right], axis=1)
        else:
            yield np.pad(left if shown == "a" else right, ((0, 0), (HALF_PX // 2, HALF_PX // 2), (0, 0)))


def _write(path: Path, frames: Iterator[RgbImage], sound: Float32Array) -> None:
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=Fraction(TICK_RATE_HZ), options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 2 * HALF_PX, HALF_PX, "yuv420p"
        audio = output.add_stream("aac", rate=_RATE_HZ, layout="mono", options={"b": "128k"})
        for picture in frames:
            output.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        output.mux(video.encode())
        for first in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[None, first : first + 1024], format="fltp", layout="mono")
            block.rate, block.pts = _RATE_HZ, first
            output.mux(audio.encode(block))
        output.mux(audio.encode())
