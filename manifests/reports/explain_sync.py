"""What `explain` says of lips and sound: the outcome in words, the peak of the curve, and the curve as a line."""

import math
from collections.abc import Mapping

import numpy as np

from foundation.array_types import Float32Array
from foundation.text import count_text
from manifests.sync_curve import LAGS, SURE_TICKS, SURE_Z, SyncCurve
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ

__all__ = ["curve_text", "moved_text", "outcome_text", "pooled_text"]

_OUTCOMES: Mapping[str, str] = {
    "in_sync": "in sync",
    "not_in_sync": "not in sync",
    "undecided": "undecided",
    "not_measured": "not measured",
}

_REASONS: Mapping[str, str] = {
    "no_sound": "the video has no sound",
    "no_scores": "they were not compared on most of these ticks",
    "few_ticks": "the stretch is too short",
    "little_speech": "too little of it is speech",
    "few_pictures": "too few different pictures a second",
    "turned": "the head is turned too far",
    "covered": "the mouth is covered",
}

_BARS = "▁▂▃▄▅▆▇█"


def outcome_text(outcome: str, reason: str | None) -> str:
    """Return an outcome of the rule `sync` in words, with the reason where nothing was measured.

    >>> outcome_text("not_measured", "turned")
    'not measured: the head is turned too far'
    """
    words = _OUTCOMES.get(outcome, outcome)
    return words if reason is None else f"{words}: {_REASONS.get(reason, reason)}"


def curve_text(curve: SyncCurve) -> str:
    """Return the peak of a curve in words, and below it the curve as a line of bars, one a lag.

    >>> mean = np.zeros(31, np.float32)
    >>> mean[17] = 0.5
    >>> print(curve_text(SyncCurve(mean, 100)))
    over 100 ticks (4.0 s) the curve peaks where the sound is 2.0 ticks (80 ms) late, 0.500 above its median: z 5
    early 600 ms ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█▁▁▁▁▁▁▁▁▁▁▁▁▁ 600 ms late
    """
    seconds = float(curve.n_ticks / TICK_RATE_HZ)
    edge_ms = _ms(int(LAGS[-1]))
    return (
        f"over {count_text(curve.n_ticks, 'tick')} ({seconds:.1f} s) the curve peaks where the sound is "
        f"{_offset_text(curve.offset_ticks)}, {curve.confidence:.3f} above its median: z {curve.z:.3g}\n"
        f"early {edge_ms} ms {_bars(curve.mean)} {edge_ms} ms late"
    )


def pooled_text(z: float, offset_ticks: float, n_ticks: int) -> str:
    """Return what was found over all stretches of a video together, in words.

    >>> pooled_text(12.31, -1.2, 300)
    'over all 300 ticks compared, z is 12.3, and the sound is 1.2 ticks (48 ms) early'
    >>> pooled_text(2.1, -9.0, 300)
    'over all 300 ticks compared, z is 2.1, by which no offset is sure'
    """
    is_sure = z >= SURE_Z and n_ticks >= SURE_TICKS
    found = f", and the sound is {_offset_text(offset_ticks)}" if is_sure else ", by which no offset is sure"
    return f"over all {count_text(n_ticks, 'tick')} compared, z is {z:.3g}{found}"


def moved_text(moved_s: float) -> str:
    """Return in words how the sound of a clip was moved.

    >>> moved_text(0.1)
    'its sound was moved 100.0 ms earlier (1600 samples)'
    """
    way = "earlier" if moved_s > 0.0 else "later"
    return f"its sound was moved {abs(moved_s) * 1000:.1f} ms {way} ({abs(round(moved_s * AUDIO_RATE_HZ))} samples)"


def _offset_text(offset_ticks: float) -> str:
    if round(abs(offset_ticks), 1) == 0.0:
        return "on time"
    way = "late" if offset_ticks > 0.0 else "early"
    return f"{abs(offset_ticks):.1f} ticks ({_ms(abs(offset_ticks))} ms) {way}"


def _ms(ticks: float) -> int:
    return round(ticks * 1000 / float(TICK_RATE_HZ))


def _bars(mean: Float32Array) -> str:
    """Return one character a lag, from the lowest value to the highest; a dot where a lag was not measured."""
    low, high = float(np.nanmin(mean)), float(np.nanmax(mean))
    steps = (mean - low) / max(high - low, 1e-6) * (len(_BARS) - 1)
    return "".join("·" if math.isnan(step) else _BARS[round(float(step))] for step in steps)
