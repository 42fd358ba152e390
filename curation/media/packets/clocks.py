"""Where the clock of a file begins anew or leaps, and which time stamps are damaged.

Recordings that were joined byte by byte, and an encoder that was started again, have a clock that jumps; so has a
damaged time stamp. What follows tells them apart: a new clock goes on, a damaged stamp is alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.media.packets.scan import BACK_S, HOLE_S
from foundation.array_types import Float64Array, Int64Array

__all__ = ["Clocks", "separate_clocks"]

_LEAP_S = 60.0
"""Holes up to this length are taken for what they are. Beyond, without audio, a time stamp may be damaged: one
flipped bit can move a frame by hours."""

_MOST_SILENT_S = 3600.0
"""Length of all longer holes without audio that is believed; beyond, the clock leaps. Ours: slides are shown for
minutes."""

_FEWEST_FRAMES, _SHORTEST_S = 12, 2.0
"""A clock that fewer frames follow, and for less time, is damage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """The frames of a file by the clock that they follow."""

    runs: tuple[Int64Array, ...]
    """Numbers of the frames that follow one clock each, in the order of the file; at least one run."""
    damaged: Int64Array
    """Numbers of the frames whose time stamps fit nowhere."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Frames ``[first, end)``, whose times do not jump."""

    first: int
    end: int
    start_s: float
    last_s: float

    @property
    def is_alone(self) -> bool:
        return self.end - self.first < _FEWEST_FRAMES and self.last_s - self.start_s < _SHORTEST_S


def separate_clocks(times_s: Float64Array, heard_holes: Collection[int]) -> Clocks:
    """Sort the frames of a file by the clock that they follow.

    Args:
        times_s: (N,) decoding times in the order of the file, N at least 1.
        heard_holes: numbers of the frames after which audio fills the time up to the next.
    """
    runs: list[list[_Piece]] = []
    silent_s = 0.0
    for piece in _without_damage(_pieces(times_s)):
        gap_s = piece.start_s - runs[-1][-1].last_s if runs else 0.0
        is_silent = gap_s > _LEAP_S and runs[-1][-1].end - 1 not in heard_holes
        if runs and gap_s >= -BACK_S and not (is_silent and silent_s + gap_s > _MOST_SILENT_S):
            runs[-1].append(piece)
            silent_s += gap_s if is_silent else 0.0
        else:
            runs.append([piece])
    numbers = [np.concatenate([np.arange(piece.first, piece.end) for piece in run]) for run in runs]
    spans_s = [run[-1].last_s - run[0].start_s for run in runs]
    lasting = [k for k, span_s in enumerate(spans_s) if len(numbers[k]) >= _FEWEST_FRAMES or span_s >= _SHORTEST_S]
    kept = tuple(numbers[k] for k in lasting) or (max(numbers, key=len),)
    damaged = np.setdiff1d(np.arange(len(times_s)), np.concatenate(kept))
    return Clocks(runs=kept, damaged=damaged)


def _pieces(times_s: Float64Array) -> list[_Piece]:
    steps_s = np.diff(times_s)
    jumps = np.flatnonzero((steps_s < -BACK_S) | (steps_s > HOLE_S)) + 1
    bounds = [0, *jumps.tolist(), len(times_s)]
    return [_Piece(first, end, float(times_s[first]), float(times_s[end - 1])) for first, end in pairwise(bounds)]


def _without_damage(pieces: list[_Piece]) -> list[_Piece]:
    """Leave out the frames without which the times before and after them follow each other."""
    kept: list[_Piece] = []
    for piece in pieces:
        while kept and _is_damaged(kept, piece):
            kept.pop()
        if kept and piece.is_alone and piece.start_s < kept[-1].last_s - BACK_S:
            continue
        kept.append(piece)
    return kept


def _is_damaged(kept: list[_Piece], after: _Piece) -> bool:
    """Return whether the last piece of `kept` is out of order, and the one before it goes on in `after`."""
    piece = kept[-1]
    goes_back = after.start_s < piece.last_s - BACK_S
    if len(kept) == 1:
        return goes_back and piece.is_alone and not after.is_alone
    before = kept[-2]
    gap_s = after.start_s - before.last_s
    in_order = not goes_back and piece.start_s >= before.last_s - BACK_S
    if in_order or gap_s < -BACK_S:
        return False
    return piece.is_alone or gap_s <= piece.last_s - piece.start_s + _SHORTEST_S
