"""A worker as a pool sees it: does units, and ends itself where it takes too long, or the memory of the others."""

import os
import threading
import time
from pathlib import Path

from curation.engine.supervision import Loss, PoolSettings, write_exit_note
from curation.engine.units import Result, Unit
from curation.engine.worker import WorkerPlan

__all__ = ["PoolWorker"]

_LOOK_EVERY_S = 0.2


class PoolWorker:
    """Made in the worker's process."""

    def __init__(self, plan: WorkerPlan, worker_id: str, settings: PoolSettings) -> None:
        """Load the models, and watch this process from now on.

        Args:
            plan: what to load.
            worker_id: names the note of a worker that ends itself.
            settings: how much memory and time it may take.
        """
        self._worker = plan.make_worker(self._allow_for_length)
        self._settings, self._begun = settings, 0.0
        self._watch = _Watch(plan.dataset, worker_id, settings.worker_memory_gib)
        self._watch.look()  # before it counts as started: no unit is to blame for what the models take
        self._watch.start()

    def ready(self) -> str:
        """Return the id of the node that this runs on; there is no answer before the models are loaded."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def run(self, unit: Unit) -> Result:
        """Run a unit.

        A unit whose length is not known may take the time to open its file, and then the time for its length; the
        deadlines of the others are the driver's concern alone.
        """
        self._begun = time.monotonic()
        if unit.n_ticks is None:
            self._watch.allow(self._begun, self._settings.opening_s(unit.video.size_bytes))
        try:
            return unit.run(self._worker)
        finally:
            self._watch.allow_any_time()

    def _allow_for_length(self, length_s: float) -> None:
        self._watch.allow(self._begun, self._settings.for_length_s(length_s))


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
            write_exit_note(self._dataset, self._worker_id, loss)
        finally:  # on a full disk, too
            os._exit(1)


def _fair_share() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(0.9 * total / (os.cpu_count() or 1))
