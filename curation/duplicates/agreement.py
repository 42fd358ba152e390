"""Agreement of two traces around a moment that they seem to share: the same recording, or not.

The measure is a correlation over the ticks that both have, for a few speeds and shifts around the proposal. Its meaning
depends on the number of ticks, so the limits are on `atanh(r) * sqrt(ticks)`, which for independent noise of one tick
would have a deviation of 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curation.duplicates.traces import MIRRORED, Trace
from foundation.array_types import Int64Array
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Agreement", "Moment", "agreement"]

_SPEEDS = tuple(percent / 100 for percent in range(90, 111))

_SHIFTS = (0, -1, 1, -2, 2)

_REACHES = (75, 200, 500)
"""Ticks to either side of the moment: a short one for a part that was cut out of another video."""

_LEAST_FIRST_R = 0.45
"""Of the first look, which spares the others: most moments are no copies."""

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


class Moment(NamedTuple):
    """Ticks of two videos at which they may show or sound the same."""

    tick: int
    other_tick: int
    speed: float = 1.0
    """Of the second video relative to the first, about."""
    mirrored: bool = False
    heard: bool = False
    """Whether the sound is alike; otherwise the face is."""


def agreement(one: Trace, other: Trace, moment: Moment) -> Agreement | None:
    """Return what two videos have in common around a moment, or None where they are no copies.

    Args:
        one: trace of a video.
        other: trace of another.
        moment: where to look.
    """
    first_look = _fit(one, other, moment, *_ticks(moment, len(one.seen), _REACHES[0], moment.speed))
    if first_look is None or first_look[0] < _LEAST_FIRST_R:
        return None
    face, sound = (_best_fit(one, other, moment._replace(heard=heard)) for heard in (False, True))
    same_face = face is not None and face.r >= _LEAST_FACE_R and face.score >= _LEAST_FACE_SCORE
    same_sound = (
        sound is not None
        and sound.r >= _LEAST_SOUND_R
        and sound.score >= _LEAST_SOUND_SCORE
        and _share_spoken(one, moment.tick, sound.n_ticks) >= _LEAST_SPOKEN
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
        mirrored=moment.mirrored and same_face,
    )


def _ticks(moment: Moment, n_ticks: int, reach: int, speed: float) -> tuple[Int64Array, Int64Array]:
    """Return ticks of the first video, of `n_ticks`, around a moment, and those of the other at the same time."""
    here = np.arange(max(moment.tick - reach, 0), min(moment.tick + reach + 1, n_ticks))
    return here, np.rint((here - moment.tick) / speed).astype(np.int64) + moment.other_tick


def _best_fit(one: Trace, other: Trace, moment: Moment) -> _Fit | None:
    """Return the fit with the highest score over speeds, shifts and lengths; None without enough common ticks."""
    best: _Fit | None = None
    for reach in _REACHES:
        for speed in _SPEEDS:
            here, there = _ticks(moment, len(one.seen), reach, speed)
            for shift in _SHIFTS:
                fit = _fit(one, other, moment, here, there + shift)
                if fit is not None and (best is None or fit[1] > best.score):
                    offset = moment.tick - (moment.other_tick + shift) * speed
                    best = _Fit(r=fit[0], score=fit[1], speed=speed, offset=offset, n_ticks=fit[2])
    return best


def _fit(
    one: Trace, other: Trace, moment: Moment, here: Int64Array, there: Int64Array
) -> tuple[float, float, int] | None:
    """Return correlation, score and number of common ticks; None if they are too few."""
    inside = (there >= 0) & (there < len(other.seen))
    here, there = here[inside], there[inside]
    if moment.heard:
        ours, theirs = one.sound[here, None], other.sound[there, None]
        both = (ours != 0).any(axis=1) & (theirs != 0).any(axis=1)
    else:
        ours, theirs = one.face[here], other.face[there] * (MIRRORED if moment.mirrored else np.int8(1))
        both = one.seen[here] & other.seen[there]
    n_ticks = int(np.count_nonzero(both))
    if n_ticks < _LEAST_TICKS:
        return None
    a, b = (signals[both].astype(np.float32).reshape(-1) for signals in (ours, theirs))
    power = float(np.sqrt((a @ a) * (b @ b)))
    r = float(a @ b) / power if power > 0.0 else 0.0
    return r, float(np.arctanh(min(r, 0.9999))) * float(np.sqrt(n_ticks)), n_ticks


def _share_spoken(trace: Trace, tick: int, n_ticks: int) -> float:
    return float(trace.speaks[max(tick - n_ticks // 2, 0) : tick + n_ticks // 2 + 1].mean())
