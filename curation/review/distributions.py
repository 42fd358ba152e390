"""Distributions of the value of each rule, over the ticks of the videos that a report looks at."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.review.criteria import Criterion
from curation.review.measured_videos import MeasuredVideo
from foundation.array_types import Float32Array

__all__ = ["Histogram", "ValueCounter"]

_BINS = 48

_TAIL = 0.5
"""Percent of the values at either end that the first and the last bin take in, whatever their size."""

_CLASSES = ("kept", "dropped", "other")


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Ticks per range of values, by what became of them."""

    edges: list[float]
    """Borders of the bins, one more than there are bins; smaller values count in the first, larger in the last."""
    kept: list[int]
    dropped: list[int]
    """By the rule itself."""
    other: list[int]
    """By another rule."""
    unmeasured: int
    """Ticks without a value."""


class ValueCounter:
    """Collects the values of criteria, video by video."""

    def __init__(self) -> None:
        self._values: dict[str, list[Float32Array]] = defaultdict(list)
        self._classes: dict[str, list[npt.NDArray[np.int8]]] = defaultdict(list)

    def add(self, video: MeasuredVideo, criterion: Criterion) -> None:
        """Count the ticks of a video."""
        verdict = video.verdicts.get((criterion.rule, criterion.tier))
        if verdict is None:
            return
        classes = np.full(len(verdict.value), _CLASSES.index("other"), dtype=np.int8)
        value = verdict.value.astype(np.float32, copy=True)
        for span in video.spans[criterion.tier]:
            own = slice(*span.ticks)
            if span.outcome in ("kept", criterion.rule):
                classes[own] = _CLASSES.index("kept" if span.outcome == "kept" else "dropped")
            if span.outcome == "kept" and criterion.rule == "too_short":
                value[own] = (span.ticks[1] - span.ticks[0]) / 25
        self._values[criterion.key].append(value)
        self._classes[criterion.key].append(classes)

    def histogram(self, criterion: Criterion) -> Histogram | None:
        """Return the distribution of a criterion; None where nothing was measured."""
        if criterion.key not in self._values:
            return None
        values, classes = np.concatenate(self._values[criterion.key]), np.concatenate(self._classes[criterion.key])
        known = np.isfinite(values)
        if criterion.rule == "too_short":
            known &= values > 0  # ticks that another rule dropped are in no good stretch
        if not known.any():
            return None
        low, high = (float(edge) for edge in np.percentile(values[known], [_TAIL, 100 - _TAIL]))
        if criterion.limit is not None:
            low, high = min(low, criterion.limit), max(high, criterion.limit)
        room = (high - low) * 0.04 or 0.5
        low = low if low >= 0 > low - room else low - room
        edges = np.linspace(low, high + room, _BINS + 1)
        counts = {
            name: np.histogram(np.clip(values[known & (classes == number)], edges[0], edges[-1]), edges)[0].tolist()
            for number, name in enumerate(_CLASSES)
        }
        return Histogram(
            edges=[float(f"{edge:.6g}") for edge in edges], unmeasured=int(np.count_nonzero(~known)), **counts
        )
