"""Worker of a pool, with a watchdog that ends its process on a timeout or on excessive memory."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from curation.engine.supervision import Loss, PoolSettings, write_exit_note
from curation.engine.units import Result, Unit
from curation.engine.worker import WorkerPlan

__all__ = ["PoolWorker", "Sign"]

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Sign:
    """What a living worker answers."""

    unit: str
    """Name of the unit that it is running."""
    length_s: float
    """Length of its video in seconds, which was not known before it was opened."""


class PoolWorker:
    """The actor of a Ray pool, in the process of the worker.

    Ray runs `sign` in one thread, everything else one call after the other in another one.
    """

    def __init__(self) -> None:
        """Load nothing yet, so that signs of life can be asked for at once."""
        self._sign: Sign | None = None

    def node_id(self) -> str:
        """Return the id of the node that this runs on."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def sign(self) -> Sign | None:
        """Answer, which is a sign of life; None where there is nothing to tell."""
        return self._sign

    def load(self, plan: WorkerPlan, worker_id: str, settings: PoolSettings) -> None:
        """Load the models, and start the watchdog.

        Args:
            plan: what to load.
            worker_id: names the note of a worker that ends itself.
            settings: limits of memory and time.

        Raises:
            CannotStartError: weights are missing, or a model does not work.
        """
        self._worker = plan.make_worker(self._allow_for_length)
        self._settings, self._begun = settings, 0.0
        self._watch = _Watch(plan.dataset, worker_id, settings.worker_memory_gib)
        self._watch.look()  # before it counts as started: no unit causes the memory of the models
        self._watch.start()

    def run(self, unit: Unit) -> Result:
        """Run a unit.

        A unit whose length is not known may take the time to open its file, and then the time for its length; the
        driver enforces the deadlines of the others.
        """
        self._begun, self._unit = time.monotonic(), unit
        if unit.n_ticks is None:
            self._watch.allow(self._begun, self._settings.deadline_s(unit))
        try:
            return unit.run(self._worker)
        finally:
            self._sign = None
            self._watch.allow_any_time()

    def _allow_for_length(self, length_s: float) -> None:
        self._watch.allow(self._begun, self._settings.deadline_s(self._unit, length_s))
        self._sign = Sign(self._unit.name, length_s)


class _Watch(threading.Thread):
    """Watchdog: ends this process when it exceeds its time or memory, and leaves a note with the cause.

    It also ends this process when its parent, a process of Ray, was killed with the driver: a resumed run must be
    the only writer.
    """

    def __init__(self, dataset: Path, worker_id: str, memory_gib: float | None) -> None:
        super().__init__(daemon=True)
        self._dataset, self._worker_id = dataset, worker_id
        self._limit_bytes = _fair_share() if memory_gib is None else int(memory_gib * 2**30)
        self._allowed: tuple[float, float] | None = None
        self._parent = os.getppid()

    def allow(self, begun: float, seconds: float) -> None:
        """Set a deadline: `seconds` after `begun`, a time of the monotonic clock."""
        self._allowed = begun, seconds

    def allow_any_time(self) -> None:
        """Remove the deadline, as between units."""
        self._allowed = None

    def run(self) -> None:
        """Check every fifth of a second."""
        while True:
            self.look()
            time.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Check once, and end this process if a limit is exceeded."""
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
