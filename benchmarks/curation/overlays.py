"""Captions, banners, logos and inset pictures that come, change and go over a shot: no shot cuts, though much changes.

`benchmarks/curation/cuts.py` counts how many of them are taken for one.
"""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.uint8]

__all__ = ["OVERLAYS", "overlaid"]

WORDS = (
    "we",
    "all",
    "know",
    "that",
    "this",
    "is",
    "how",
    "it",
    "was",
    "meant",
    "before",
    "people",
    "came",
    "told",
    "us",
)


def overlaid(kind: str, rng: np.random.Generator, shot: Pictures, other: Pictures) -> Pictures:
    """Return (T, h, w, 3) pictures of `shot` with an overlay; about half are held still, with noise of one level.

    Args:
        kind: one of `OVERLAYS`.
        rng: draws what is shown, where and when.
        shot: (T, h, w, 3) pictures.
        other: (T, h, w, 3) pictures, for the inset.
    """
    pictures = shot.copy()
    if rng.random() < 0.5:
        held = shot[:1] + rng.normal(0, 1, shot.shape)
        pictures = held.round().clip(0, 255).astype(np.uint8)
    if kind == "inset":
        _inset(rng, pictures, other)
    else:
        _DRAWN[kind](rng, pictures)
    return pictures


def _written(picture: Pictures, text: str, middle_y_px: float, size: float) -> None:
    """Write a line in white with a black shadow, in the middle of the width."""
    (width_px, height_px), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x_px, y_px = (picture.shape[1] - width_px) // 2, round(middle_y_px + height_px / 2)
    for grey, shift_px in ((0, 1), (255, 0)):
        at = (x_px + shift_px, y_px + shift_px)
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (grey, grey, grey), 1, cv2.LINE_AA)


def _some_words(rng: np.random.Generator, n_letters: int) -> str:
    words: list[str] = []
    while len(" ".join(words)) < n_letters - 4:
        words.append(str(rng.choice(WORDS)))
    return " ".join(words)[:n_letters]


def _captions(rng: np.random.Generator, pictures: Pictures) -> None:
    """One line of large letters at the bottom, below the face or at the top; another every 5 to 25 ticks, or none."""
    middle_y_px = pictures.shape[1] * rng.choice([0.1, 0.68, 0.85])
    tick = int(rng.integers(5, 20))
    while tick < len(pictures):
        end = tick + int(rng.integers(5, 26))
        if rng.random() < 0.8:
            text = _some_words(rng, int(rng.integers(6, 13))).upper()
            for picture in pictures[tick:end]:
                _written(picture, text, middle_y_px, 0.65)
        tick = end


def _subtitles(rng: np.random.Generator, pictures: Pictures) -> None:
    """Two lines at the bottom, in a dark box or not, that change twice and go."""
    height_px, width_px = pictures.shape[1:3]
    boxed = rng.random() < 0.5
    edges = np.sort(rng.choice(np.arange(8, 93, 6), 4, replace=False))
    for first, end in itertools.pairwise(edges):
        lines = [_some_words(rng, 24), _some_words(rng, int(rng.integers(8, 24)))]
        for picture in pictures[first:end]:
            if boxed:
                picture[round(0.72 * height_px) : round(0.97 * height_px), width_px // 12 : -width_px // 12] //= 5
            for line, middle in zip(lines, (0.79, 0.91), strict=True):
                _written(picture, line, middle * height_px, 0.4)


def _lower_third(rng: np.random.Generator, pictures: Pictures) -> None:
    """A banner of a fifth of the picture that comes and goes: at once, faded or slid in over 8 ticks."""
    height_px, width_px = pictures.shape[1:3]
    x_px, y_px = round(rng.uniform(0.0, 0.15) * width_px), round(rng.uniform(0.68, 0.74) * height_px)
    banner = np.zeros((round(0.24 * height_px), round(0.85 * width_px), 3), np.uint8)
    banner[:] = rng.integers(0, 256, 3)
    _written(banner, "NAME SURNAME", 0.3 * len(banner), 0.4)
    _written(banner, _some_words(rng, 22), 0.75 * len(banner), 0.35)
    way = rng.choice(["at once", "faded", "slid"])
    n_ticks = 1 if way == "at once" else 8
    ticks = np.arange(len(pictures))
    shares = np.clip(np.minimum(ticks - int(rng.integers(25, 40)), int(rng.integers(65, 80)) - ticks) / n_ticks, 0, 1)
    for picture, share in zip(pictures, shares, strict=True):
        shown = banner if way != "slid" else banner[:, round((1 - share) * banner.shape[1]) :]
        opaque = share if way == "faded" else float(share > 0)
        below = picture[y_px : y_px + len(shown), x_px : x_px + shown.shape[1]]
        below[:] = (below * (1 - opaque) + shown[:, : below.shape[1]] * opaque).round()


def _corner(rng: np.random.Generator, pictures: Pictures, part: float) -> Pictures:
    """Return a view of one corner, `part` of each side, a little off the edge."""
    height_px, width_px = (round(part * side) for side in pictures.shape[1:3])
    y_px = 4 if rng.random() < 0.5 else pictures.shape[1] - height_px - 4
    x_px = 6 if rng.random() < 0.5 else pictures.shape[2] - width_px - 6
    return pictures[:, y_px : y_px + height_px, x_px : x_px + width_px]


def _logo(rng: np.random.Generator, pictures: Pictures) -> None:
    """A corner of 2 % of the picture turns from black to white for 5 to 15 ticks, three times."""
    corner = _corner(rng, pictures, 0.14)
    corner[:] = 0
    for first in (15, 45, 75):
        begin = first + int(rng.integers(0, 10))
        corner[begin : begin + int(rng.integers(5, 16))] = 255


def _inset(rng: np.random.Generator, pictures: Pictures, other: Pictures) -> None:
    """A picture in a corner, 15 to 30 % of the sides, that is cut to another shot and back."""
    corner = _corner(rng, pictures, rng.uniform(0.15, 0.3))
    first, end = int(rng.integers(20, 45)), int(rng.integers(55, 80))
    for tick in range(len(pictures)):
        shown = other[tick] if first <= tick < end else other[tick, :, ::-1][::-1]
        corner[tick] = cv2.resize(shown, corner.shape[2:0:-1], interpolation=cv2.INTER_AREA)


_DRAWN: dict[str, Callable[[np.random.Generator, Pictures], None]] = {
    "captions": _captions,
    "subtitles": _subtitles,
    "lower_third": _lower_third,
    "logo": _logo,
}
OVERLAYS = (*_DRAWN, "inset")
