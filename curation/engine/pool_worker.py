"""A worker as a pool sees it: does units, and ends itself where it takes too long, or the memory of the others."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from curation.engine.supervision import Loss, PoolSettings, leave_last_words
from curation.engine.units import Outcome, Unit

__all__ = ["PoolWorker", "UnitPlan", "UnitWorker"]

_LOOK_EVERY_S = 0.2


class UnitWorker(Protocol):
    """Does units."""

    def work(self, unit: Unit, learnt: Callable[[float], None], /) -> Outcome:
        """Do one and return what became of it.

        Args:
            unit: what to do.
            learnt: is told how many seconds of video the unit holds, once that is known and was not before.
        """
        ...


class UnitPlan(Protocol):
    """Makes a worker, wherever it is sent."""

    @property
    def dataset(self) -> Path:
        """Folder that is written to."""
        ...

    @property
    def window_s(self) -> float:
        """Longest stretch of video that a worker measures at a time, seconds."""
        ...

    def make_worker(self) -> UnitWorker:
        """Load what the work needs."""
        ...


class PoolWorker:
    """Made in the worker's process."""

    def __init__(self, plan: UnitPlan, worker_id: str, settings: PoolSettings) -> None:
        """Load the models, and watch this process from now on.

        Args:
            plan: what to load.
            worker_id: names the note of a worker that ends itself.
            settings: how much memory and time it may take.
        """
        self._worker = plan.make_worker()
        self._settings = settings
        self._watch = _Watch(plan.dataset, worker_id, settings.worker_memory_gib)
        self._watch.look()  # before it counts as started: no unit is to blame for what the models take
        self._watch.start()

    def ready(self) -> str:
        """Return the id of the node that this runs on; there is no answer before the models are loaded."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def work(self, unit: Unit) -> Outcome:
        """Do a unit.

        How long a video is shows when its file has been looked at; the units of a divided one the driver alone watches.
        """
        settings, begun = self._settings, time.monotonic()
        if unit.kind == "video":
            self._watch.allow(begun, settings.opening_s(unit.video.size_bytes))
        try:
            return self._worker.work(unit, lambda length_s: self._watch.allow(begun, settings.for_length_s(length_s)))
        finally:
            self._watch.allow_any_time()


class _Watch(threading.Thread):
    """Ends this process where it takes more than it is allowed, and says why: a dead process has no other way.

    Where Ray's process that began it is gone, killed with the driver, it ends, too: nobody is to write behind the back
    of the run that goes on.
    """

    def __init__(self, dataset: Path, worker_id: str, memory_gib: float | None) -> None:
        super().__init__(daemon=True)
        self._dataset, self._worker_id = dataset, worker_id
        self._limit_bytes = _fair_share() if memory_gib is None else int(memory_gib * 2**30)
        self._allowed: tuple[float, float] | None = None
        self._parent = os.getppid()

    def allow(self, begun: float, seconds: float) -> None:
        """Let what was begun at a time of the monotonic clock take so long."""
        self._allowed = begun, seconds

    def allow_any_time(self) -> None:
        """Let time pass, as between units."""
        self._allowed = None

    def run(self) -> None:
        """Look now and then."""
        while True:
            self.look()
            time.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """End this process if there is a reason."""
        if os.getppid() != self._parent:
            os._exit(1)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        if resident > self._limit_bytes:
            took, limit = resident / 2**30, self._limit_bytes / 2**30
            self._end(Loss("out_of_memory", f"the worker took {took:.2f} GiB of memory, {limit:.2f} are allowed"))
        allowed = self._allowed
        if allowed is not None and time.monotonic() > sum(allowed):
            self._end(Loss("timed_out", f"not done after {allowed[1]:.0f} s, the worker ended itself"))

    def _end(self, loss: Loss) -> None:
        try:
            leave_last_words(self._dataset, self._worker_id, loss)
        finally:  # on a full disk, too
            os._exit(1)


def _fair_share() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(0.9 * total / (os.cpu_count() or 1))
