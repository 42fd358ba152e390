"""Find the mark of a video file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.media.frames import tick_frames
from curation.media.mark.carriers import SYMBOL_FRAMES
from curation.media.mark.mark_code import decoded_id, id_text
from curation.media.mark.mark_search import SMALL_PX, bits_at, places
from curation.media.probe import VideoInfo, probe
from foundation.array_types import Float32Array
from foundation.json_text import json_text
from manifests.timeline import TICK_RATE_HZ

__all__ = ["LEAST_SCORE", "MarkFinding", "find_mark", "mark_at_start", "mark_of_pictures"]

LEAST_SCORE = 6.0
"""Least correlation with the pilots, in standard deviations, at which bits are looked at: the best of all places tried
in an unmarked video seldom has as much (docs/provenance.md)."""

_WINDOW_TICKS = 750
"""Ticks that are searched together, 30 s."""

_LEAST_TICKS = 2 * SYMBOL_FRAMES
"""Fewer hold no whole symbol at most first frames."""

_WIDEST = 8
"""Longer over shorter side of a picture that is searched; others are as wide as this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkFinding:
    """What was found in a video; `str` of it is a sentence for people."""

    path: Path
    """The video."""
    mark_id: int | None
    """The id that the mark carries, 48 bits; None: no mark was found."""
    score: float | None
    """Correlation with the pilots in standard deviations, at the best place; None: the video is too short."""
    first_s: float | None
    """Beginning of the part in which it was found."""
    searched_s: float
    """Length of the video that was searched."""

    def json(self) -> str:
        """Return a JSON object; `mark_id` has 12 hexadecimal digits, or is null."""
        return json_text(
            {
                "path": str(self.path),
                "mark_id": None if self.mark_id is None else id_text(self.mark_id),
                "score": self.score,
                "first_s": self.first_s,
                "searched_s": self.searched_s,
            }
        )

    def __str__(self) -> str:
        """Return the sentence."""
        if self.mark_id is not None:
            return f"{self.path}: mark {id_text(self.mark_id)}, score {self.score:.1f}"
        if self.score is None:
            return f"{self.path}: no mark; {self.searched_s:.2f} s are too short to hold one"
        return f"{self.path}: no mark in {self.searched_s:.2f} s, score {self.score:.1f}"


def find_mark(path: Path) -> MarkFinding:
    """Search a video for the mark of a generated one, 30 s at a time, until it is found.

    Args:
        path: file of any format that curation reads; frames that cannot be decoded count as the ones before them.

    Raises:
        MediaError: the file is no video that can be read.
    """
    info = probe(path)
    best: float | None = None
    for first in range(0, info.n_ticks, _WINDOW_TICKS):
        end = min(info.n_ticks, first + _WINDOW_TICKS)
        pictures = list(_small_pictures(info, first, end))
        if len(pictures) < _LEAST_TICKS:
            continue
        mark_id, score = mark_of_pictures(np.stack(pictures))
        best = score if best is None else max(best, score)
        if mark_id is not None:
            return MarkFinding(
                path=path,
                mark_id=mark_id,
                score=score,
                first_s=float(first / TICK_RATE_HZ),
                searched_s=float(end / TICK_RATE_HZ),
            )
    return MarkFinding(path=path, mark_id=None, score=best, first_s=None, searched_s=float(info.n_ticks / TICK_RATE_HZ))


def mark_at_start(info: VideoInfo, length_s: float) -> int | None:
    """Return the id of the mark in the beginning of a video; None: there is none, or too few frames to tell.

    Args:
        info: what was probed of it.
        length_s: of the beginning, at most 30 s.

    Raises:
        MediaError: the file cannot be opened any more.
    """
    pictures = list(_small_pictures(info, 0, min(info.n_ticks, int(length_s * TICK_RATE_HZ))))
    return mark_of_pictures(np.stack(pictures))[0] if len(pictures) >= _LEAST_TICKS else None


def mark_of_pictures(luma: Float32Array) -> tuple[int | None, float]:
    """Return the id of the mark, None without one, and the score of the place where it was sought last.

    Args:
        luma: (T, H, W) 25 a second, the shorter side of SMALL_PX pixels, T at least 20.
    """
    candidates = places(luma)
    for place in candidates:
        if place.score < LEAST_SCORE:
            break
        mark_id = decoded_id(bits_at(luma, place))
        if mark_id is not None:
            return mark_id, place.score
    return None, candidates[0].score


def _small_pictures(info: VideoInfo, first: int, end: int) -> Iterator[Float32Array]:
    """Yield the luma of ticks, from the first one that can be decoded on."""
    scale = SMALL_PX / min(info.width_px, info.height_px)
    width, height = (min(_WIDEST * SMALL_PX, round(side * scale)) for side in (info.width_px, info.height_px))
    luma: Float32Array | None = None
    source_frame: int | None = None
    for frame in tick_frames(info, first, end):
        if frame.shown is not None and (luma is None or frame.source_frame != source_frame):
            rgb = frame.shown.thumbnail(width, height).astype(np.float32)
            luma, source_frame = rgb @ np.array([0.299, 0.587, 0.114], np.float32), frame.source_frame
        if luma is not None:
            yield luma
