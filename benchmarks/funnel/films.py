"""Films of a mix as files, each encoded once into a folder that is kept."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.funnel.pictures import beside, cartoon, fitted, inset, scenery, slide, video_pictures
from benchmarks.funnel.recipe import MIXES, Film, Piece
from foundation.array_types import Float32Array, RgbImage

__all__ = ["first_films", "make_mix"]

_RATE_HZ = 48_000

_LAYOUTS = 2
"""Version of `pictures`: another number writes all films again."""

_ROOM_LEVEL = 0.0005
"""Standard deviation of the noise of a quiet room: -66 dBFS."""


def make_mix(name: str, minutes: float | None, shared: Path, cache_folder: Path) -> Path:
    """Return the folder with the files of a mix, and write those that are not there yet.

    Args:
        name: one of `MIXES`.
        minutes: the first films are taken, and the last is cut, so that they have this length; None: all.
        shared: folder with `clips` and `talk`.
        cache_folder: where the folder lies.
    """
    films = first_films(MIXES[name](), minutes)
    folder = cache_folder / f"{name}-{_digest(films)}"
    folder.mkdir(parents=True, exist_ok=True)
    for film in films:
        path = cache_folder / f"{film.name}-{_digest([film])}.mp4"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            _write(film, shared, unfinished)
            unfinished.rename(path)
        shown = folder / f"{film.name}.mp4"
        if not shown.exists():
            shown.hardlink_to(path)
    return folder


def _digest(films: Sequence[Film]) -> str:
    """Return a name for what films show."""
    return hashlib.sha256(repr((_LAYOUTS, films)).encode()).hexdigest()[:8]


def first_films(films: Sequence[Film], minutes: float | None) -> list[Film]:
    """Return the beginning of a mix; the last of its films ends within a piece."""
    left_s = 60.0 * minutes if minutes is not None else float("inf")
    chosen: list[Film] = []
    for film in films:
        pieces: list[Piece] = []
        for piece in film.pieces:
            if left_s > 0:
                pieces.append(replace(piece, seconds=min(piece.seconds, left_s)))
                left_s -= pieces[-1].seconds
        if pieces:
            chosen.append(replace(film, pieces=tuple(pieces)))
    return chosen


def _video(name: str, shared: Path) -> Path:
    """Return the file with this stem.

    Raises:
        FileNotFoundError: there is none.
    """
    for folder in ("clips", "talk"):
        for path in (shared / folder).glob(f"{name}.*"):
            return path
    raise FileNotFoundError(f"{shared} has no video {name} in clips or talk")


def _write(film: Film, shared: Path, path: Path) -> None:
    """Encode a film: H.264 as a camera or a platform gives it, with sound of 48 kHz."""
    import av

    options = {"preset": "veryfast", "crf": "23", "g": str(round(film.key_s * film.fps))}
    with av.open(str(path), "w", format="mp4") as output:
        video = output.add_stream("libx264", rate=film.fps, options=options)
        video.width, video.height, video.pix_fmt = *film.size_px, "yuv420p"
        sound = output.add_stream("aac", rate=_RATE_HZ, layout="mono", options={"b": "96k"}) if film.sound else None
        for number, picture in enumerate(_pictures(film, shared)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, film.fps)
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if sound is not None:
            samples = np.concatenate([_sound(piece, film.fps, shared) for piece in film.pieces])
            for first in range(0, len(samples), 1024):
                block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="fltp", layout="mono")
                block.rate, block.pts, block.time_base = _RATE_HZ, first, Fraction(1, _RATE_HZ)
                output.mux(sound.encode(block))
            output.mux(sound.encode())


def _frames(piece: Piece, fps: int) -> int:
    return round(piece.seconds * fps)


def _pictures(film: Film, shared: Path) -> Iterator[RgbImage]:
    """Yield the frames of a film."""
    for piece in film.pieces:
        videos = [video_pictures(_video(name, shared), piece.start_s, film.fps) for name in piece.videos]
        for number in range(_frames(piece, film.fps)):
            yield _laid_out(piece, [next(video) for video in videos], number / film.fps, film.size_px)


def _laid_out(piece: Piece, shown: Sequence[RgbImage], time_s: float, size_px: tuple[int, int]) -> RgbImage:
    """Return a frame of a piece, `time_s` after its beginning."""
    if piece.layout == "full":
        return fitted(shown[0], *size_px)
    if piece.layout == "beside":
        return beside(shown[0], shown[1], *size_px)
    if piece.layout == "inset":
        return inset(shown[0], slide(time_s, *size_px))
    drawn = {"cartoon": cartoon, "slides": slide, "scenery": scenery}[piece.layout]
    return drawn(time_s, *size_px)


def _sound(piece: Piece, fps: int, shared: Path) -> Float32Array:
    """Return the samples of a piece: the voice, again from its beginning where it ends, over the noise of a room."""
    wanted = round(_frames(piece, fps) * _RATE_HZ / fps)
    room = np.random.default_rng(wanted).normal(0, _ROOM_LEVEL, wanted).astype(np.float32)
    if piece.voice is None:
        return room
    voice = _voice(_video(piece.voice, shared))
    if voice is None:
        return room
    first = round(piece.start_s * _RATE_HZ)
    return room + voice[np.arange(first, first + wanted) % len(voice)]


@cache
def _voice(path: Path) -> Float32Array | None:
    """Return the sound of a video, 48 kHz mono; None where it has none."""
    from curation.media.audio import tick_audio
    from curation.media.probe import probe

    info = probe(path)
    return tick_audio(info, 0, info.n_ticks, _RATE_HZ)
