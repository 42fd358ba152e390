"""Estimates for all videos of a run, with intervals, from looks at a few of them. Arithmetic only: no file, no clock.

What a look measured is known. The length of other files is their size times the seconds per byte of the files looked
at; figures of the remaining video are its length times the mean rate of the looks, each weighted by the length of its
video. Intervals are of 80 %: percentiles of the same figure over looks drawn again with replacement
(bootstrap), widened about the figure by what so few looks understate, `sqrt(n / (n - 1))` and Student's t over the
normal distribution (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 3.2). Where no look kept
anything, there is nothing to draw: then the upper end supposes the largest share of videos that n looks would miss once
in ten, kept whole.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foundation.text import count_text, gigabytes
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["Estimate", "Forecast", "Look", "Machine", "forecast"]

_N_DRAWS = 2000

_TAIL = 0.1
"""Share of the draws on either side of an interval."""

_BYTES_PER_TICK = 10 * 1024
"""Memory of a worker for each tick of a stretch that it measures: evidence and thumbnails. Measured:
benchmarks/results/2026-11-memory-and-packing.md."""

_LIGHT_BYTES_PER_TICK = 2 * 1024
"""Memory for each tick of a video in windows when it is decided: the input of the rules. Measured: likewise."""

_POOL_BYTES = 512 * 2**20
"""The driver and Ray's own processes. Ours, rounded up."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Measurement of one video; all zeros but for its size where it cannot be curated."""

    size_bytes: int
    duration_s: float = 0.0
    seen_s: float = 0.0
    """Length of its curated stretch."""
    kept_diffusion_s: float = 0.0
    kept_vae_s: float = 0.0
    disk_bytes: float = 0.0
    """Size of the files of the curated stretch."""
    probe_s: float = 0.0
    """Time to read the packets of the complete file once."""
    work_s: float = 0.0
    """Time to curate the stretch and write its files."""
    peak_bytes: float = 0.0
    """Peak memory of the process meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Machine of the run."""

    workers: int
    pool: bool
    """True for Ray workers, False for this process."""
    cores: int | None
    """None where the nodes are unknown."""
    free_memory_bytes: float
    free_disk_bytes: float
    load_s: float
    """Time to load the models."""
    window_s: float
    """Longest stretch that a worker takes at a time."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; an end is NaN where it cannot be estimated, as after a single look."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Figures of the whole run; seconds and bytes."""

    duration_s: Estimate
    kept_s: Mapping[Tier, Estimate]
    disk_bytes: Estimate
    memory_bytes: Estimate
    worker_memory_bytes: Estimate
    wall_s: Estimate
    seen_s: float
    binds: str
    """The resource that limits the run, in a sentence."""


def forecast(looks: Sequence[Look], unseen_bytes: Sequence[int], machine: Machine) -> Forecast:
    """Return figures for all videos, sampled or not.

    Args:
        looks: at least one.
        unseen_bytes: size of each of the other videos.
        machine: where the run is to be.
    """
    table = _Table(looks, unseen_bytes, machine)

    def of(figure: Callable[[npt.NDArray[np.int64]], float], *, widen: bool = True) -> Estimate:
        return _interval(figure, len(looks), widen=widen, known=not widen or table.all_is_seen)

    disk, memory, worker_memory = (
        of(table.of("disk_bytes")),
        of(table.memory, widen=False),
        of(table.worker_memory, widen=False),
    )
    duration = _interval(table.duration, len(looks), widen=True, known=not unseen_bytes)

    def kept(tier: Tier) -> Estimate:
        estimate = of(table.of(f"kept_{tier}_s"))
        if table.column(f"kept_{tier}_s").any() or math.isnan(estimate.high):
            return estimate
        return Estimate(estimate.expected, estimate.low, max(estimate.high, table.missed_s()))

    return Forecast(
        duration_s=duration,
        kept_s={tier: kept(tier) for tier in TIERS},
        disk_bytes=disk,
        memory_bytes=memory,
        worker_memory_bytes=worker_memory,
        wall_s=of(table.wall),
        seen_s=float(table.column("seen_s").sum()),
        binds=_what_binds(disk, memory, worker_memory, machine),
    )


class _Table:
    """The looks as columns, and the figures as functions of which of them are drawn."""

    def __init__(self, looks: Sequence[Look], unseen_bytes: Sequence[int], machine: Machine) -> None:
        self._looks = looks
        self._n_unseen = len(unseen_bytes)
        self._unseen, self._largest_unseen = float(sum(unseen_bytes)), float(max(unseen_bytes, default=0))
        self._machine = machine
        self._duration = self.column("duration_s")
        self._seen = self.column("seen_s")
        self._size = self.column("size_bytes")
        self._peak = self.column("peak_bytes")
        self._work = self.of("work_s")
        # a divided video is probed by each of its windows, and once more before and after
        n_windows = np.ceil(self._duration / machine.window_s)
        self._probing = self.column("probe_s") * np.where(n_windows > 1, n_windows + 2, 1)

    @property
    def all_is_seen(self) -> bool:
        """True if the looks cover all video."""
        return not self._n_unseen and bool((self._seen >= self._duration).all())

    def column(self, name: str) -> _Floats:
        """(N,) a field of the looks."""
        return np.array([getattr(look, name) for look in self._looks], np.float64)

    def duration(self, drawn: npt.NDArray[np.int64]) -> float:
        """Length of all videos."""
        return float(self._duration.sum() + self._unseen * self._seconds_per_byte(drawn))

    def of(self, name: str) -> Callable[[npt.NDArray[np.int64]], float]:
        """Return the figure that sums a column over all video."""
        values = self.column(name)
        rates = np.divide(values, self._seen, out=np.zeros_like(values), where=self._seen > 0)

        def figure(drawn: npt.NDArray[np.int64]) -> float:
            weight = self._duration[drawn].sum()
            rate = (rates[drawn] * self._duration[drawn]).sum() / weight if weight else 0.0
            return float(values.sum() + max(0.0, self.duration(drawn) - self._seen.sum()) * rate)

        return figure

    def missed_s(self) -> float:
        """Length of unseen video, times the largest share of it that this many looks miss with a probability of 0.1."""
        n = len(self._looks)
        unseen_s = max(0.0, self.duration(np.arange(n)) - self._seen.sum())
        return float(unseen_s * (1.0 - _TAIL ** (1.0 / n)))

    def wall(self, drawn: npt.NDArray[np.int64]) -> float:
        """Duration of the run, seconds: loading the models, then the work over the workers that can be busy at once."""
        probing = self._probing[drawn].sum() / max(1.0, self._size[drawn].sum())
        work_s = self._work(drawn) + probing * (self._size.sum() + self._unseen)
        units = max(len(self._looks) + self._n_unseen, self.duration(drawn) / self._machine.window_s)
        busy = min(self._machine.workers, self._machine.cores or math.inf, units)
        return float(self._machine.load_s + work_s / busy)

    def worker_memory(self, drawn: npt.NDArray[np.int64]) -> float:
        """Memory of one worker, bytes: the peak of all looks, and the additional need of the longest video."""
        longest_s = max(self._duration.max(), self._largest_unseen * self._seconds_per_byte(drawn))
        measured_s = min(longest_s, self._machine.window_s)
        more = max(0.0, measured_s - self._seen.max()) * _BYTES_PER_TICK
        more += (longest_s - measured_s) * _LIGHT_BYTES_PER_TICK
        return float(self._peak[drawn].max() + more * float(TICK_RATE_HZ))

    def memory(self, drawn: npt.NDArray[np.int64]) -> float:
        """Memory of all workers and of Ray, bytes."""
        return self._machine.workers * self.worker_memory(drawn) + (_POOL_BYTES if self._machine.pool else 0)

    def _seconds_per_byte(self, drawn: npt.NDArray[np.int64]) -> float:
        return float(self._duration[drawn].sum() / max(1.0, self._size[drawn].sum()))


def _interval(figure: Callable[[npt.NDArray[np.int64]], float], n: int, *, widen: bool, known: bool) -> Estimate:
    """Return a figure over all looks, with its bootstrap interval.

    Args:
        figure: function of the looks with these numbers.
        n: number of looks.
        widen: whether to correct the interval for the small number of looks.
        known: whether it is exact, so that a single look is enough.
    """
    from scipy.special import ndtri, stdtrit

    expected = figure(np.arange(n))
    if n == 1 and not known:
        return Estimate(expected, math.nan, math.nan)
    draws = np.random.default_rng(0).integers(0, n, (_N_DRAWS, n))
    low, high = np.quantile([figure(drawn) for drawn in draws], (_TAIL, 1 - _TAIL))
    factor = 1.0
    if widen and n > 1:
        factor = math.sqrt(n / (n - 1)) * float(stdtrit(n - 1, 1 - _TAIL) / ndtri(1 - _TAIL))
    return Estimate(
        expected, max(0.0, expected - factor * (expected - float(low))), expected + factor * (float(high) - expected)
    )


def _what_binds(disk: Estimate, memory: Estimate, worker_memory: Estimate, machine: Machine) -> str:
    """Return the limiting resource of the run in a sentence: disk, memory, or processors."""
    if disk.high > machine.free_disk_bytes:
        return f"disk: up to {gigabytes(disk.high)} are needed, {gigabytes(machine.free_disk_bytes)} are free"
    if machine.cores is None:
        return (
            f"time: {count_text(machine.workers, 'worker')}; memory and cores of the cluster's nodes were not looked at"
        )
    available = machine.free_memory_bytes - (_POOL_BYTES if machine.pool else 0)
    fitting = int(available // max(1.0, worker_memory.high))
    if memory.high > machine.free_memory_bytes:
        return (
            f"memory: up to {gigabytes(memory.high)} are needed, {gigabytes(machine.free_memory_bytes)} are free, "
            f"which is enough for {count_text(fitting, 'worker')}"
        )
    if machine.workers >= machine.cores:
        return f"processor cores: all {machine.cores} are busy"
    more = min(fitting, machine.cores)
    return f"time: {machine.workers} of {machine.cores} cores are busy; --workers {more} fits in memory"
