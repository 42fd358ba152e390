"""Curation of videos on a pool of Ray actors: each holds all models and has one unit in flight.

The driver owns the schedule. An actor that dies, hangs or exceeds its memory is replaced; its unit is tried again,
and no other unit is touched. Ray itself retries nothing.
"""

import itertools
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.engine.events import NO_HOOKS, EventKind, RunHooks, UnitEvent
from curation.engine.pool_worker import PoolWorker
from curation.engine.ray_start import RayUnavailableError, connect
from curation.engine.schedule import Schedule
from curation.engine.supervision import Attempts, Loss, PoolSettings, take_exit_note
from curation.engine.units import Result, Unit, ended, first_units
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord, write_record
from curation.output.window_files import remove_windows
from curation.sources.entries import SourceVideo
from foundation.errors import UsageError

__all__ = ["NotSendableError", "RayUnavailableError", "curate_on_ray"]

_MAX_FAILED_STARTS = 3
"""Consecutive workers that fail to load before the run ends."""

_LOOK_EVERY_S = 5.0
"""Longest time between two checks of the deadlines."""


class NotSendableError(UsageError):
    """A rule or a model of the user's own cannot be sent to another process."""


@dataclass(slots=True)
class _Worker:
    """An actor, as the driver knows it."""

    handle: Any
    worker_id: str
    name: str
    """Its name in events."""
    node_id: str = ""
    """Id of the node that it runs on; empty until it has started."""
    started: float = 0.0
    """Time at which it had loaded its models, on the monotonic clock."""
    n_units: int = 0


@dataclass(frozen=True, slots=True)
class _Flight:
    """A unit that a worker is running."""

    worker: _Worker
    unit: Unit
    begun: float
    """On the monotonic clock, as `deadline`."""
    deadline: float


def curate_on_ray(
    plan: WorkerPlan,
    videos: Sequence[SourceVideo],
    *,
    workers: int,
    address: str | None,
    gpus_per_worker: float,
    settings: PoolSettings,
    hooks: RunHooks = NO_HOOKS,
    units: Callable[[Iterable[SourceVideo]], Iterable[Unit]] = first_units,
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done, in the order in which they end.

    Args:
        plan: what every actor loads and where it writes.
        videos: what to curate; the largest files are begun first, so that no long one is left for the end.
        workers: number of actors, each on one CPU, spread over the nodes.
        address: of a running cluster, whose nodes receive the code of this project; None starts one on this machine.
        gpus_per_worker: share of a GPU that each actor reserves.
        settings: deadlines, attempts, memory.
        hooks: receive every event, and may end the work after the units in flight.
        units: makes the unit that each video begins with.

    Raises:
        NotSendableError: a rule or a model of the user's own cannot be pickled.
        RayUnavailableError: no cluster could be started or joined, or workers cannot be started on it.
        OSError: the dataset cannot be written.
    """
    import ray
    from ray import cloudpickle

    pickled: Callable[[WorkerPlan], bytes] = cloudpickle.dumps
    try:
        pickled(plan)
    except Exception as error:  # whatever the pickling of a user's object raises
        raise NotSendableError(
            f"a rule or a model of your own cannot be sent to the workers of Ray: {type(error).__name__}: {error}; "
            "make what it cannot take along inside the function, or run with one worker in this process"
        ) from error
    connect(workers, address)
    try:
        pool = _Pool(plan, workers, gpus_per_worker, settings, hooks)
        yield from pool.run(Schedule(units(videos), largest_first=True))
    finally:
        ray.shutdown()


class _Pool:
    """The actors and their units in flight."""

    def __init__(
        self, plan: WorkerPlan, workers: int, gpus_per_worker: float, settings: PoolSettings, hooks: RunHooks
    ) -> None:
        import ray

        self._ray: Any = ray
        self._plan, self._workers, self._settings, self._hooks = plan, workers, settings, hooks
        # Ray makes its handles at run time, so they have no type to name.
        self._remote: Any = ray.remote(
            num_cpus=1, num_gpus=gpus_per_worker, scheduling_strategy="SPREAD", max_restarts=0, max_task_retries=0
        )(PoolWorker)
        self._attempts = Attempts(plan.dataset, settings.max_attempts)
        self._planned: deque[Unit] = deque()
        """Units to begin next, at most one a worker."""
        self._starting: dict[Any, _Worker] = {}
        self._idle: list[_Worker] = []
        self._flights: dict[Any, _Flight] = {}
        self._failed_starts = 0
        self._numbers = itertools.count(1)

    def run(self, schedule: Schedule) -> Iterator[VideoRecord]:
        """Run all units and yield the records of the videos."""
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
        """Assign units to workers; return whether any is in flight or starting."""
        if self._hooks.stopped():
            return bool(self._flights)
        while len(self._planned) + len(self._flights) < self._workers and (unit := schedule.next()) is not None:
            self._planned.append(unit)
        while self._planned and self._idle:
            worker, unit = self._idle.pop(), self._planned.popleft()
            worker.n_units += 1
            now = time.monotonic()
            flight = _Flight(worker, unit, now, now + self._settings.deadline_s(unit, self._plan.window_s))
            self._flights[worker.handle.run.remote(unit)] = flight
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
            loss = take_exit_note(self._plan.dataset, worker.worker_id)
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
            result = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            if self._lost_its_node(worker):
                self._tell("loss", flight, reason="node_lost")
                self._again(flight, schedule)  # no attempt of the unit
            else:
                yield from self._lost(flight, self._death_of(worker, error), schedule)
            return
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error  # without Ray's name and traceback around it
        self._tell("end", flight, result=result)
        self._attempts.done(unit)
        if self._settings.is_worn(worker.n_units, time.monotonic() - worker.started):
            self._ray.kill(worker.handle)
        else:
            self._idle.append(worker)
        record = schedule.done(unit.video.video_id, result)
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
        self._tell("loss", flight, reason=loss.reason)
        record = self._attempts.verdict(unit, loss)
        if record is None:
            self._again(flight, schedule)
            return
        self._tell("quarantine", flight, reason=loss.reason)
        record = schedule.done(unit.video.video_id, ended(record))
        if record is not None:
            write_record(self._plan.dataset, record)
            remove_windows(self._plan.dataset, {unit.video.video_id})
            yield record

    def _again(self, flight: _Flight, schedule: Schedule) -> None:
        schedule.again(flight.unit)
        self._tell("retry", flight)

    def _tell(
        self, kind: EventKind, flight: _Flight, *, result: Result | None = None, reason: str | None = None
    ) -> None:
        seconds = time.monotonic() - flight.begun if kind in ("end", "loss") else None
        self._hooks.on_event(
            UnitEvent(
                kind=kind, unit=flight.unit, worker=flight.worker.name, result=result, reason=reason, seconds=seconds
            )
        )

    def _lost_its_node(self, worker: _Worker) -> bool:
        """Return whether a worker's node is known to be lost; Ray may notice that later than the loss of the worker."""
        return any(node["NodeID"] == worker.node_id and not node["Alive"] for node in self._ray.nodes())

    def _death_of(self, worker: _Worker, error: Exception) -> Loss:
        if loss := take_exit_note(self._plan.dataset, worker.worker_id):
            return loss
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return Loss("out_of_memory", "the machine ran out of memory, and Ray ended the worker")
        return Loss("worker_died", "the worker's process died")
