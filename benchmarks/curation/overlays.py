"""Captions, banners, logos and inset images that appear, change and disappear over a shot, without a shot cut.

`benchmarks.curation.cuts` counts how many of them are mistaken for a cut.
"""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]

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


def overlaid(kind: str, rng: np.random.Generator, shot: Frames, other: Frames) -> Frames:
    """Return (T, h, w, 3) frames of `shot` with an overlay; about half of the shots are still, with noise of one level.

    Args:
        kind: one of `OVERLAYS`.
        rng: draws content, place and time of the overlay.
        shot: (T, h, w, 3) frames.
        other: (T, h, w, 3) frames, for the inset.
    """
    frames = shot.copy()
    if rng.random() < 0.5:
        held = shot[:1] + rng.normal(0, 1, shot.shape)
        frames = held.round().clip(0, 255).astype(np.uint8)
    if kind == "inset":
        _inset(rng, frames, other)
    else:
        _DRAWN[kind](rng, frames)
    return frames


def _write_line(image: Frames, text: str, middle_y_px: float, size: float) -> None:
    """Write a line in white with a black shadow, in the middle of the width."""
    (width_px, height_px), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x_px, y_px = (image.shape[1] - width_px) // 2, round(middle_y_px + height_px / 2)
    for grey, shift_px in ((0, 1), (255, 0)):
        at = (x_px + shift_px, y_px + shift_px)
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (grey, grey, grey), 1, cv2.LINE_AA)


def _some_words(rng: np.random.Generator, n_letters: int) -> str:
    words: list[str] = []
    while len(" ".join(words)) < n_letters - 4:
        words.append(str(rng.choice(WORDS)))
    return " ".join(words)[:n_letters]


def _captions(rng: np.random.Generator, frames: Frames) -> None:
    """Write large letters at the bottom, below the face or at the top; a new line or none every 5 to 25 ticks."""
    middle_y_px = frames.shape[1] * rng.choice([0.1, 0.68, 0.85])
    tick = int(rng.integers(5, 20))
    while tick < len(frames):
        end = tick + int(rng.integers(5, 26))
        if rng.random() < 0.8:
            text = _some_words(rng, int(rng.integers(6, 13))).upper()
            for frame in frames[tick:end]:
                _write_line(frame, text, middle_y_px, 0.65)
        tick = end


def _subtitles(rng: np.random.Generator, frames: Frames) -> None:
    """Write two lines at the bottom, in a dark box or without, that change twice and disappear."""
    height_px, width_px = frames.shape[1:3]
    boxed = rng.random() < 0.5
    edges = np.sort(rng.choice(np.arange(8, 93, 6), 4, replace=False))
    for first, end in itertools.pairwise(edges):
        lines = [_some_words(rng, 24), _some_words(rng, int(rng.integers(8, 24)))]
        for frame in frames[first:end]:
            if boxed:
                frame[round(0.72 * height_px) : round(0.97 * height_px), width_px // 12 : -width_px // 12] //= 5
            for line, middle in zip(lines, (0.79, 0.91), strict=True):
                _write_line(frame, line, middle * height_px, 0.4)


def _lower_third(rng: np.random.Generator, frames: Frames) -> None:
    """Draw a banner of a fifth of the frame that appears and disappears at once, faded, or slid in over 8 ticks."""
    height_px, width_px = frames.shape[1:3]
    x_px, y_px = round(rng.uniform(0.0, 0.15) * width_px), round(rng.uniform(0.68, 0.74) * height_px)
    banner = np.zeros((round(0.24 * height_px), round(0.85 * width_px), 3), np.uint8)
    banner[:] = rng.integers(0, 256, 3)
    _write_line(banner, "NAME SURNAME", 0.3 * len(banner), 0.4)
    _write_line(banner, _some_words(rng, 22), 0.75 * len(banner), 0.35)
    entry = rng.choice(["at once", "faded", "slid"])
    n_ticks = 1 if entry == "at once" else 8
    ticks = np.arange(len(frames))
    shares = np.clip(np.minimum(ticks - int(rng.integers(25, 40)), int(rng.integers(65, 80)) - ticks) / n_ticks, 0, 1)
    for frame, share in zip(frames, shares, strict=True):
        visible = banner if entry != "slid" else banner[:, round((1 - share) * banner.shape[1]) :]
        opaque = share if entry == "faded" else float(share > 0)
        below = frame[y_px : y_px + len(visible), x_px : x_px + visible.shape[1]]
        below[:] = (below * (1 - opaque) + visible[:, : below.shape[1]] * opaque).round()


def _corner(rng: np.random.Generator, frames: Frames, part: float) -> Frames:
    """Return a view of one corner, `part` of each side, a little off the edge."""
    height_px, width_px = (round(part * side) for side in frames.shape[1:3])
    y_px = 4 if rng.random() < 0.5 else frames.shape[1] - height_px - 4
    x_px = 6 if rng.random() < 0.5 else frames.shape[2] - width_px - 6
    return frames[:, y_px : y_px + height_px, x_px : x_px + width_px]


def _logo(rng: np.random.Generator, frames: Frames) -> None:
    """Turn a corner of 2 % of the frame from black to white for 5 to 15 ticks, three times."""
    corner = _corner(rng, frames, 0.14)
    corner[:] = 0
    for first in (15, 45, 75):
        begin = first + int(rng.integers(0, 10))
        corner[begin : begin + int(rng.integers(5, 16))] = 255


def _inset(rng: np.random.Generator, frames: Frames, other: Frames) -> None:
    """Draw an image in a corner, 15 to 30 % of the sides, that cuts to another shot and back."""
    corner = _corner(rng, frames, rng.uniform(0.15, 0.3))
    first, end = int(rng.integers(20, 45)), int(rng.integers(55, 80))
    for tick in range(len(frames)):
        inset = other[tick] if first <= tick < end else other[tick, :, ::-1][::-1]
        corner[tick] = cv2.resize(inset, corner.shape[2:0:-1], interpolation=cv2.INTER_AREA)


_DRAWN: dict[str, Callable[[np.random.Generator, Frames], None]] = {
    "captions": _captions,
    "subtitles": _subtitles,
    "lower_third": _lower_third,
    "logo": _logo,
}
OVERLAYS = (*_DRAWN, "inset")
