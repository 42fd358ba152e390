"""Curates videos on a pool of Ray actors: each holds all models and has one unit in flight.

The driver owns the schedule. An actor that dies, hangs or takes too much memory is replaced; the unit that it had is
blamed and tried again, and no other unit is touched. Ray itself retries nothing.
"""

import importlib.util
import itertools
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.engine.events import UNATTENDED, EventKind, Oversight, UnitEvent
from curation.engine.pool_worker import PoolWorker, UnitPlan
from curation.engine.schedule import Schedule
from curation.engine.supervision import Blame, Loss, PoolSettings, last_words
from curation.engine.units import Outcome, Unit
from curation.output.ledger import VideoRecord, write_record
from curation.output.window_files import remove_windows
from curation.sources.entries import SourceVideo
from foundation.errors import CannotStartError

__all__ = ["RayUnavailableError", "curate_on_ray"]

_MAX_FAILED_STARTS = 3
"""Workers that in a row fail to load: then it is not chance."""

_START_ATTEMPTS = 3
"""How often Ray is started on this machine before that counts as impossible."""

_LOOK_EVERY_S = 5.0
"""Longest wait before deadlines are looked at."""


class RayUnavailableError(CannotStartError):
    """No Ray cluster could be started or joined, or no worker can be started on it."""


@dataclass(slots=True)
class _Worker:
    """An actor, as the driver knows it."""

    handle: Any
    worker_id: str
    name: str
    """In events."""
    node_id: str = ""
    """Known once it has started, as the next."""
    started: float = 0.0
    """On the monotonic clock."""
    n_units: int = 0


@dataclass(frozen=True, slots=True)
class _Flight:
    """A unit that a worker has."""

    worker: _Worker
    unit: Unit
    begun: float
    """On the monotonic clock, as `deadline`."""
    deadline: float


def curate_on_ray(
    plan: UnitPlan,
    videos: Sequence[SourceVideo],
    *,
    workers: int,
    address: str | None,
    gpus_per_worker: float,
    settings: PoolSettings,
    oversight: Oversight = UNATTENDED,
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done, in the order in which they end.

    Args:
        plan: what every actor loads and where it writes.
        videos: what to curate; the largest files are begun first, so that no long one is left for the end.
        workers: number of actors, each on one CPU, spread over the nodes.
        address: of a running cluster, whose nodes are sent this package's code; None starts one on this machine.
        gpus_per_worker: share of a GPU that each actor reserves.
        settings: deadlines, attempts, memory.
        oversight: is told of every unit, and may end the work after those in flight.

    Raises:
        RayUnavailableError: no cluster could be started or joined, or workers cannot be started on it.
        OSError: the dataset cannot be written.
    """
    import ray

    _connect(workers, address)
    try:
        pool = _Pool(plan, workers, gpus_per_worker, settings, oversight)
        yield from pool.run(Schedule(videos, largest_first=True))
    finally:
        ray.shutdown()


def _connect(workers: int, address: str | None) -> None:
    """Join a cluster, or start one on this machine, which takes Ray too long where much else is going on."""
    import ray

    for attempts_left in reversed(range(1 if address else _START_ATTEMPTS)):
        try:
            # The dashboard and the log relay are of no use to a run that shows its own progress.
            ray.init(
                address=address,
                num_cpus=None if address else workers,
                include_dashboard=False,
                log_to_driver=False,
                runtime_env={"py_modules": _own_packages()} if address else None,
            )
        except Exception as error:
            # Ray raises the bare class where its processes are not up in 30 s, which no setting changes.
            ray.shutdown()
            if attempts_left:
                continue
            where = f"join the Ray cluster at {address}" if address else "start Ray on this machine"
            raise RayUnavailableError(f"cannot {where}: {error}; try --executor inline") from error
        return


class _Pool:
    """Actors and what they have in flight."""

    def __init__(
        self, plan: UnitPlan, workers: int, gpus_per_worker: float, settings: PoolSettings, oversight: Oversight
    ) -> None:
        import ray

        self._ray: Any = ray
        self._plan, self._workers, self._settings, self._oversight = plan, workers, settings, oversight
        # Ray makes its handles at run time, so they have no type to name.
        self._remote: Any = ray.remote(
            num_cpus=1, num_gpus=gpus_per_worker, scheduling_strategy="SPREAD", max_restarts=0, max_task_retries=0
        )(PoolWorker)
        self._blame = Blame(plan.dataset, settings.max_attempts)
        self._planned: deque[Unit] = deque()
        """Next units, no more than workers: all that the driver holds besides its schedule."""
        self._starting: dict[Any, _Worker] = {}
        self._idle: list[_Worker] = []
        self._flights: dict[Any, _Flight] = {}
        self._failed_starts = 0
        self._numbers = itertools.count(1)

    def run(self, schedule: Schedule) -> Iterator[VideoRecord]:
        """Do all units and yield the records of the videos."""
        while self._begin(schedule):
            references = [*self._flights, *self._starting]
            done, _ = self._ray.wait(references, num_returns=1, timeout=self._patience_s())
            for reference in done:
                if reference in self._starting:
                    self._started(reference)
                else:
                    yield from self._landed(reference, schedule)
            yield from self._overdue(schedule)

    def _begin(self, schedule: Schedule) -> bool:
        """Give units to workers; say whether there is anything to wait for."""
        if self._oversight.stopped():
            return bool(self._flights)
        while len(self._planned) + len(self._flights) < self._workers and (unit := schedule.next()) is not None:
            self._planned.append(unit)
        while self._planned and self._idle:
            worker, unit = self._idle.pop(), self._planned.popleft()
            worker.n_units += 1
            now = time.monotonic()
            flight = _Flight(worker, unit, now, now + self._settings.deadline_s(unit, self._plan.window_s))
            self._flights[worker.handle.work.remote(unit)] = flight
            self._tell("begin", flight)
        while len(self._starting) < len(self._planned) and len(self._starting) + len(self._flights) < self._workers:
            worker_id = uuid.uuid4().hex
            handle = self._remote.remote(self._plan, worker_id, self._settings)
            self._starting[handle.ready.remote()] = _Worker(handle, worker_id, f"worker {next(self._numbers)}")
        # a worker that is still starting, such as for want of a free core, is waited for only if there is work for it
        return bool(self._flights or self._planned)

    def _patience_s(self) -> float:
        soonest = min((flight.deadline for flight in self._flights.values()), default=float("inf"))
        return min(max(soonest - time.monotonic(), 0.0), _LOOK_EVERY_S)

    def _started(self, reference: Any) -> None:  # noqa: ANN401 - Ray's references have no type of their own
        worker = self._starting.pop(reference)
        try:
            worker.node_id = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._failed_starts += 1
            loss = last_words(self._plan.dataset, worker.worker_id)
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise RayUnavailableError(
                    f"{self._failed_starts} workers in a row could not be started; the last one: "
                    f"{loss.detail if loss else error}"
                ) from error
        else:
            self._failed_starts = 0
            worker.started = time.monotonic()
            self._idle.append(worker)

    def _landed(self, reference: Any, schedule: Schedule) -> Iterator[VideoRecord]:  # noqa: ANN401 - as above
        flight = self._flights.pop(reference)
        worker, unit = flight.worker, flight.unit
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            if self._lost_its_node(worker):
                self._tell("loss", flight, "node_lost")
                self._again(flight, schedule)  # nobody's fault
            else:
                yield from self._lost(flight, self._death_of(worker, error), schedule)
            return
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error  # without Ray's name and traceback around it
        self._tell("end", flight, outcome)
        self._blame.settled(unit)
        if self._settings.is_worn(worker.n_units, time.monotonic() - worker.started):
            self._ray.kill(worker.handle)
        else:
            self._idle.append(worker)
        record = schedule.done(unit, outcome)
        if record is not None:
            yield record

    def _overdue(self, schedule: Schedule) -> Iterator[VideoRecord]:
        now = time.monotonic()
        for reference, flight in list(self._flights.items()):
            if flight.deadline <= now:
                del self._flights[reference]
                self._ray.kill(flight.worker.handle)
                allowed_s = self._settings.deadline_s(flight.unit, self._plan.window_s)
                loss = Loss("timed_out", f"not done after {allowed_s:.0f} s, its worker was ended")
                yield from self._lost(flight, loss, schedule)

    def _lost(self, flight: _Flight, loss: Loss, schedule: Schedule) -> Iterator[VideoRecord]:
        unit = flight.unit
        self._tell("loss", flight, loss.reason)
        record = self._blame.verdict(unit, loss)
        if record is None:
            self._again(flight, schedule)
            return
        self._tell("quarantine", flight, loss.reason)
        record = schedule.done(unit, record)
        if record is not None:
            write_record(self._plan.dataset, record)
            remove_windows(self._plan.dataset, {unit.video.video_id})
            yield record

    def _again(self, flight: _Flight, schedule: Schedule) -> None:
        schedule.again(flight.unit)
        self._tell("retry", flight)

    def _tell(self, kind: EventKind, flight: _Flight, outcome: Outcome | str | None = None) -> None:
        seconds = time.monotonic() - flight.begun if kind in ("end", "loss") else None
        worker = flight.worker.name
        self._oversight.tell(UnitEvent(kind=kind, unit=flight.unit, worker=worker, outcome=outcome, seconds=seconds))

    def _lost_its_node(self, worker: _Worker) -> bool:
        """Say whether a worker's node is known to be gone; Ray may learn it later than that the worker is."""
        return any(node["NodeID"] == worker.node_id and not node["Alive"] for node in self._ray.nodes())

    def _death_of(self, worker: _Worker, error: Exception) -> Loss:
        if loss := last_words(self._plan.dataset, worker.worker_id):
            return loss
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return Loss("out_of_memory", "the machine ran out of memory, and Ray ended the worker")
        return Loss("worker_died", "the worker's process died")


def _own_packages() -> list[str]:
    """Return the folders of the packages that a worker imports, for nodes without an installed copy."""
    found = [importlib.util.find_spec(name) for name in ("curation", "foundation", "manifests")]
    return [str(Path(spec.origin).parent) for spec in found if spec is not None and spec.origin is not None]
