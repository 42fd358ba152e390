"""A worker as a pool sees it: does units, and ends itself before it takes the memory of the others."""

import os
import threading
import time
from pathlib import Path
from typing import Protocol

from curation.units import Outcome, Unit
from manifests.files import write_bytes_atomic

__all__ = ["PoolWorker", "UnitPlan", "UnitWorker", "memory_note"]

_LOOK_EVERY_S = 0.2


class UnitWorker(Protocol):
    """Does units."""

    def work(self, unit: Unit) -> Outcome:
        """Do one and return what became of it."""
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


def memory_note(dataset: Path, worker_id: str) -> Path:
    """Return the file in which a worker says that it ended itself for its memory: a dead process has no other way."""
    return dataset / "ledger" / f".{worker_id}.memory"


class PoolWorker:
    """Made in the worker's process."""

    def __init__(self, plan: UnitPlan, worker_id: str, memory_gib: float | None) -> None:
        """Load the models, and watch this process's memory from now on.

        Args:
            plan: what to load.
            worker_id: names the note of a worker that ends itself.
            memory_gib: the limit; None: nine tenths of the machine's memory over its cores.
        """
        self._worker = plan.make_worker()
        limit = _fair_share() if memory_gib is None else int(memory_gib * 2**30)
        note = memory_note(plan.dataset, worker_id)
        threading.Thread(target=_watch_memory, args=(limit, note), daemon=True).start()

    def ready(self) -> str:
        """Return the id of the node that this runs on; there is no answer before the models are loaded."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def work(self, unit: Unit) -> Outcome:
        """Do a unit."""
        return self._worker.work(unit)


def _fair_share() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(0.9 * total / (os.cpu_count() or 1))


def _watch_memory(limit: int, note: Path) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while True:
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page
        if resident > limit:
            told = f"the worker took {resident / 2**30:.2f} GiB of memory, {limit / 2**30:.2f} are allowed"
            write_bytes_atomic(note, told.encode())
            os._exit(1)
        time.sleep(_LOOK_EVERY_S)
