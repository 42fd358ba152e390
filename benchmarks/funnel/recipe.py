"""What the films of each mix show: stretches of real videos, and drawn ones, joined in long files.

The folder `shared` has `clips` with real videos as users have them, and `talk` with one or two people each. A piece
names a file of either by its stem.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["MIXES", "Film", "Piece"]

Layout = Literal["full", "beside", "inset", "cartoon", "slides", "scenery"]
"""How a piece fills the frame: one video, two people close together, a small video before a slide, or a drawing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A stretch of a film."""

    layout: Layout
    seconds: float
    videos: tuple[str, ...] = ()
    """Those that are shown."""
    start_s: float = 0.0
    """Where in its videos it begins. One that ends before the piece does begins again."""
    voice: str | None = None
    """The video that is heard, from its `start_s` on; None: a quiet room."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """A file of a mix."""

    name: str
    size_px: tuple[int, int]
    """Width and height."""
    fps: int
    key_s: float
    """Longest time between key frames; cuts have key frames of their own."""
    pieces: tuple[Piece, ...]
    sound: bool = True
    """Whether the file has a sound track."""

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return sum(piece.seconds for piece in self.pieces)


def _talk(video: str, start_s: float, end_s: float) -> Piece:
    """Return a stretch of one person who talks to the camera, nearly all of which is kept."""
    return Piece(layout="full", seconds=end_s - start_s, videos=(video,), start_s=start_s, voice=video)


def _shown(video: str, seconds: float) -> Piece:
    return Piece(layout="full", seconds=seconds, videos=(video,), voice=video)


def _beside(one: str, other: str, seconds: float) -> Piece:
    return Piece(layout="beside", seconds=seconds, videos=(one, other), start_s=2.0, voice=one)


def _inset(video: str, seconds: float) -> Piece:
    return Piece(layout="inset", seconds=seconds, videos=(video,), start_s=1.0, voice=video)


def _drawn(layout: Layout, seconds: float, voice: str | None) -> Piece:
    return Piece(layout=layout, seconds=seconds, voice=voice)


_DROPPED = (
    _drawn("slides", 26, "p165_01"),
    _inset("p017_03", 18),
    _beside("p111_01", "p108_01", 22),
    _drawn("cartoon", 20, "lp_d14"),
    _shown("fr_hamilton", 10),
    _drawn("scenery", 14, None),
    _shown("p200+p201_01", 10),
    _inset("p022_06", 19),
    _shown("dj_video1", 12),
    _beside("p083_01", "p111_01", 24),
    _shown("dj_video4", 20),
    _drawn("slides", 31, "p109_01"),
    _shown("p196_01", 10),
    _drawn("cartoon", 16, "x_01"),
    _shown("dj_video5", 12),
    _inset("p223_04", 25),
    _shown("x_01", 7),
    _beside("p022_06", "p083_01", 18),
    _shown("p018+p019_01", 6),
    _drawn("scenery", 20, "lp_s18"),
    _shown("p110_01", 15),
    _drawn("slides", 22, None),
)
"""What the rules drop: drawn pictures, slides, two people side by side, small and turned faces, silence."""


def _raw_film(
    name: str, size_px: tuple[int, int], fps: int, key_s: float, talks: Sequence[Piece], others: Iterator[Piece]
) -> Film:
    """Return a film of 150 s in which talks lie between pieces that are dropped."""
    spare_s = 150.0 - sum(talk.seconds for talk in talks)
    gap_s = spare_s / (len(talks) + 1)
    pieces: list[Piece] = []
    for talk in (*talks, None):
        left_s = gap_s
        while left_s > 0:
            piece = next(others)
            pieces.append(replace(piece, seconds=min(piece.seconds, left_s)))
            left_s -= piece.seconds
        if talk is not None:
            pieces.append(talk)
    return Film(name=name, size_px=size_px, fps=fps, key_s=key_s, pieces=tuple(pieces))


def _raw() -> list[Film]:
    """Return 20 minutes of which about 14 % are kept, as much as in the paper."""
    others = itertools.cycle(_DROPPED)
    plans: list[tuple[str, tuple[int, int], int, float, list[Piece]]] = [
        ("talk_between_slides", (640, 360), 25, 10, [_talk("p022_06", 0, 20)]),
        ("interviews", (1280, 720), 30, 5, [_talk("p111_01", 5, 28), _talk("p223_04", 10, 30)]),
        ("nobody_alone", (854, 480), 25, 2, []),
        ("kitchen", (1920, 1080), 24, 4, [_talk("p056_01", 0, 20)]),
        ("street", (1280, 720), 25, 10, [_talk("p107_01", 8, 28), _talk("p108_01", 4, 26)]),
        ("lecture", (640, 360), 30, 8, []),
        ("news", (854, 480), 24, 6, [_talk("p083_01", 0, 10), _talk("WDA_AlexandriaOcasioCortez_000", 0, 8)]),
        ("phone", (720, 1280), 30, 3, [_talk("latentsync_demo1", 0, 10), _talk("lp_d20", 0, 7)]),
    ]
    return [_raw_film(*plan, others) for plan in plans]


def _kept() -> list[Film]:
    """Return 3 minutes of people who talk to the camera, one at a time."""

    def film(name: str, size_px: tuple[int, int], fps: int, key_s: float, *talks: Piece) -> Film:
        return Film(name=name, size_px=size_px, fps=fps, key_s=key_s, pieces=talks)

    return [
        film("office", (1280, 720), 30, 5, _talk("p111_01", 2, 50)),
        film("creator", (576, 1024), 30, 8, _talk("p223_04", 5, 53)),
        film("speeches", (854, 480), 25, 10, _talk("p022_06", 0, 20), _talk("p083_01", 0, 10)),
        film("kitchen", (1920, 1080), 25, 4, _talk("p056_01", 0, 20)),
        film("outdoors", (640, 360), 30, 2, _talk("p108_01", 3, 33)),
        film("hearings", (512, 512), 25, 10, _talk("WDA_KatieHill_000", 0, 8)),
    ]


def _quiet() -> list[Film]:
    """Return 5 minutes of which 80 % are without speech, half of that with a person in view."""

    def mute(piece: Piece) -> Piece:
        return replace(piece, voice=None)

    return [
        Film(
            name="pauses",
            size_px=(1280, 720),
            fps=30,
            key_s=5,
            pieces=(mute(_talk("p111_01", 2, 26)), _talk("p111_01", 26, 40), _drawn("scenery", 22, None)),
        ),
        Film(
            name="one_sentence",
            size_px=(640, 360),
            fps=25,
            key_s=10,
            pieces=(_drawn("slides", 20, None), _talk("p022_06", 0, 14), mute(_talk("p108_01", 3, 29))),
        ),
        Film(
            name="no_sound",
            size_px=(854, 480),
            fps=24,
            key_s=4,
            pieces=(mute(_talk("p223_04", 5, 35)), _drawn("cartoon", 30, None)),
            sound=False,
        ),
        Film(
            name="nobody_speaks",
            size_px=(1280, 720),
            fps=25,
            key_s=10,
            pieces=(mute(_talk("p107_01", 8, 38)), mute(_beside("p022_06", "p083_01", 30))),
        ),
        Film(
            name="voice_over",
            size_px=(1280, 720),
            fps=24,
            key_s=6,
            pieces=(_drawn("slides", 16, "p109_01"), mute(_talk("p056_01", 0, 20)), _drawn("scenery", 8, None),
                    _beside("p083_01", "p111_01", 16)),
        ),
    ]  # fmt: skip


MIXES: dict[str, Callable[[], list[Film]]] = {"raw": _raw, "kept": _kept, "quiet": _quiet}
"""By name: raw footage, footage that is all kept, and footage in which there is little speech."""
