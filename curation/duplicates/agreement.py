"""Agreement of two traces around a moment that they seem to share: the same recording, or not.

The measure is a correlation over the ticks that both have, for a few speeds and shifts around the proposal. Its meaning
depends on the number of ticks, so the limits are on `atanh(r) * sqrt(ticks)`, which for independent noise of one tick
would have a deviation of 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.duplicates.traces import MIRRORED, Trace
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Agreement", "agreement"]

_Signals = tuple[npt.NDArray[np.generic], BoolArray]
"""(T, signals), and (T,) whether they are known."""

_SPEEDS = tuple(percent / 100 for percent in range(90, 111))

_SHIFTS = (0, -1, 1, -2, 2)

_REACHES = (75, 200, 500)
"""Ticks to either side of the moment: a short one for a part that was cut out of another video."""

_LEAST_ROUGHLY_R = 0.4
"""Of the first look, at three speeds a twentieth apart."""

_LEAST_TICKS = 75
"""Fewest common ticks: 3 s, the shortest clip."""

_LEAST_FACE_R, _LEAST_FACE_SCORE = 0.7, 11.0
"""Ours. Of 21,462 pairs of different recordings the best of all shifts has 8.2, real copies 14 to 40."""

_LEAST_SOUND_R, _LEAST_SOUND_SCORE = 0.85, 18.0
"""Ours. Likewise 13.4, and 20 to 80: that people stop and go on at the same time is more common."""

_LEAST_SPOKEN = 0.3
"""Share of common ticks with speech; without it the same music, such as an opening, makes no copies."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What two videos have in common around a moment."""

    face: float
    """Correlation of the faces; NaN where they were not seen together for long enough."""
    sound: float
    """Correlation of the loudness; NaN likewise."""
    speed: float
    """Of the second video relative to the first."""
    offset_s: float
    """Time in the first video at which the second begins; negative if the first begins later."""
    common_s: float
    """Length of the stretch that was compared, in the first video."""
    mirrored: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fit:
    r: float
    score: float
    speed: float
    offset: float
    n_ticks: int


def agreement(one: Trace, other: Trace, tick: int, other_tick: int, *, mirrored: bool) -> Agreement | None:
    """Return what two videos have in common around a moment, or None where they are no copies.

    Args:
        one: trace of a video.
        other: trace of another.
        tick: moment in `one`.
        other_tick: the same moment in `other`.
        mirrored: compare the face with its mirror image.
    """
    signs = (MIRRORED if mirrored else np.ones_like(MIRRORED)).astype(np.float64)
    face = _best_fit((one.face, one.seen), (other.face * signs, other.seen), tick, other_tick)
    heard = [np.abs(trace.sound) > 0 for trace in (one, other)]
    sound = _best_fit((one.sound[:, None], heard[0]), (other.sound[:, None], heard[1]), tick, other_tick)
    same_face = face is not None and face.r >= _LEAST_FACE_R and face.score >= _LEAST_FACE_SCORE
    same_sound = (
        sound is not None
        and sound.r >= _LEAST_SOUND_R
        and sound.score >= _LEAST_SOUND_SCORE
        and _share_spoken(one, tick, sound.n_ticks) >= _LEAST_SPOKEN
    )
    best = face if same_face else sound
    if best is None or not (same_face or same_sound):
        return None
    return Agreement(
        face=np.nan if face is None else face.r,
        sound=np.nan if sound is None else sound.r,
        speed=best.speed,
        offset_s=best.offset / float(TICK_RATE_HZ),
        common_s=best.n_ticks / float(TICK_RATE_HZ),
        mirrored=mirrored and same_face,
    )


def _best_fit(one: _Signals, other: _Signals, tick: int, other_tick: int) -> _Fit | None:
    """Return the fit with the highest score; None without enough common ticks.

    Most proposals are no copies, and a few fits over the shortest stretch show it.
    """
    roughly = _best_of(one, other, (tick, other_tick), _REACHES[:1], _SPEEDS[::5], _SHIFTS[:3])
    if roughly is None or roughly.r < _LEAST_ROUGHLY_R:
        return roughly
    return _best_of(one, other, (tick, other_tick), _REACHES, _SPEEDS, _SHIFTS)


def _best_of(
    one: _Signals,
    other: _Signals,
    ticks: tuple[int, int],
    reaches: Sequence[int],
    speeds: Sequence[float],
    shifts: Sequence[int],
) -> _Fit | None:
    best: _Fit | None = None
    for reach in reaches:
        near = np.arange(max(ticks[0] - reach, 0), min(ticks[0] + reach + 1, len(one[0])))
        for speed in speeds:
            exact = np.rint((near - ticks[0]) / speed).astype(np.int64) + ticks[1]
            for shift in shifts:
                fit = _fit(one, other, near, exact + shift)
                if fit is not None and (best is None or fit[1] > best.score):
                    offset = ticks[0] - (ticks[1] + shift) * speed
                    best = _Fit(r=fit[0], score=fit[1], speed=speed, offset=offset, n_ticks=fit[2])
    return best


def _fit(
    one: _Signals, other: _Signals, here: Int64Array, there: Int64Array
) -> tuple[float, float, int] | None:
    inside = (there >= 0) & (there < len(other[0]))
    here, there = here[inside], there[inside]
    both = one[1][here] & other[1][there]
    n_ticks = int(np.count_nonzero(both))
    if n_ticks < _LEAST_TICKS:
        return None
    a, b = one[0][here[both]].astype(np.float64), other[0][there[both]].astype(np.float64)
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    r = float((a * b).sum()) / power if power > 0.0 else 0.0
    return r, float(np.arctanh(min(r, 0.9999))) * float(np.sqrt(n_ticks)), n_ticks


def _share_spoken(trace: Trace, tick: int, n_ticks: int) -> float:
    return float(trace.speaks[max(tick - n_ticks // 2, 0) : tick + n_ticks // 2 + 1].mean())
