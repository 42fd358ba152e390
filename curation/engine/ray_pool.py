"""Curation of videos on a pool of Ray actors: each holds all models and has one unit in flight.

The driver owns the schedule. An actor that dies, hangs or exceeds its memory is replaced; its unit is tried again,
and no other unit is touched. Ray itself retries nothing.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.engine.events import NO_HOOKS, EventKind, RunHooks, UnitEvent
from curation.engine.ray_start import RayUnavailableError, connect, sigterm_of_this_program
from curation.engine.ray_workers import PooledWorker, SignsOfLife, Starts
from curation.engine.schedule import Schedule
from curation.engine.supervision import Attempts, Loss, PoolSettings, take_exit_note
from curation.engine.units import Result, Unit, ended, first_units
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord, write_record
from curation.output.window_files import remove_windows
from curation.sources.entries import SourceVideo
from foundation.errors import UsageError

__all__ = ["NotSendableError", "RayUnavailableError", "curate_on_ray"]

_LOOK_EVERY_S = 5.0
"""Longest time between two checks of the deadlines."""

_ABSENT_S = 30.0
"""Time between two checks beyond which the driver itself did not run: it was stopped, or the disk kept it waiting. What
workers did meanwhile it has yet to hear, so nothing of it counts against them."""


class NotSendableError(UsageError):
    """A rule or a model of the user's own cannot be sent to another process."""


@dataclass(slots=True)
class _Flight:
    """A unit that a worker is running."""

    worker: PooledWorker
    unit: Unit
    begun: float
    """On the monotonic clock, as `deadline`."""
    deadline: float
    absent_s: float = 0.0
    """Seconds in which the driver did not run meanwhile."""


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
        with sigterm_of_this_program():
            ray.shutdown()


class _Pool:
    """The actors and their units in flight."""

    def __init__(
        self, plan: WorkerPlan, workers: int, gpus_per_worker: float, settings: PoolSettings, hooks: RunHooks
    ) -> None:
        import ray

        self._ray: Any = ray  # which makes its names at run time, so that they have no type
        self._plan, self._workers, self._settings, self._hooks = plan, workers, settings, hooks
        self._attempts = Attempts(plan.dataset, settings.max_attempts)
        self._planned: deque[Unit] = deque()
        """Units to begin next, at most one a worker."""
        self._starts = Starts(ray, plan, settings, gpus_per_worker)
        self._signs = SignsOfLife(ray, settings.silence_s)
        self._idle: list[PooledWorker] = []
        self._flights: dict[Any, _Flight] = {}
        self._looked = time.monotonic()

    def run(self, schedule: Schedule) -> Iterator[VideoRecord]:
        """Run all units and yield the records of the videos."""
        while self._begin(schedule):
            flying = [flight.worker for flight in self._flights.values()]
            self._signs.ask([*flying, *self._idle, *self._starts.loading])
            done = self._answered([*self._flights, *self._starts.references])
            self._hear()
            for reference in done:
                if reference in self._flights:
                    yield from self._landed(reference, schedule)
                elif (worker := self._starts.landed(reference)) is not None:
                    self._idle.append(worker)
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
            flight = _Flight(worker, unit, now, now + self._allowed_s(unit))
            self._flights[worker.handle.run.remote(unit)] = flight
            self._tell("begin", flight)
        while len(self._starts) < len(self._planned) and len(self._starts) + len(self._flights) < self._workers:
            self._starts.begin()
        # a worker that is still starting, such as for want of a free core, is waited for only if there is work for it
        return bool(self._flights or self._planned)

    def _answered(self, references: list[Any]) -> list[Any]:
        """Wait for an answer of a unit or of a start; return all that are there.

        Signs of life wake nobody, and a round takes up every answer: with thousands of workers a round takes
        milliseconds, because it looks at each of them.
        """
        first, _ = self._ray.wait(references, num_returns=1, timeout=self._patience_s())
        if not first or len(references) == 1:
            return list(first)
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return list(done)

    def _patience_s(self) -> float:
        soonest = min((flight.deadline for flight in self._flights.values()), default=float("inf"))
        return min(max(soonest - time.monotonic(), 0.0), _LOOK_EVERY_S)

    def _allowed_s(self, unit: Unit) -> float:
        """Return the time for a unit until its worker tells the length of its video."""
        # it ends itself if that takes too long, and leaves a note
        later_s = self._settings.silence_s if unit.n_ticks is None else 0.0
        return self._settings.deadline_s(unit) + later_s

    def _hear(self) -> None:
        """Receive signs of life, with the lengths of videos."""
        for sign in self._signs.answers():
            for flight in self._flights.values():
                if flight.unit.name == sign.unit and flight.unit.n_ticks is None:
                    allowed_s = self._settings.deadline_s(flight.unit, sign.length_s)
                    flight.deadline = flight.begun + allowed_s + flight.absent_s + _LOOK_EVERY_S

    def _allow_for_absence(self) -> None:
        """Begin all waiting anew if the driver itself did not run, here or in what takes its records."""
        now = time.monotonic()
        absent_s, self._looked = now - self._looked, now
        if absent_s > _ABSENT_S:
            self._signs.forgive()
            self._starts.forgive(absent_s)
            for flight in self._flights.values():
                flight.deadline += absent_s
                flight.absent_s += absent_s

    def _landed(self, reference: Any, schedule: Schedule) -> Iterator[VideoRecord]:  # noqa: ANN401 - as above
        flight = self._flights.pop(reference)
        worker, unit = flight.worker, flight.unit
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._signs.forget(worker)
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
            self._end(worker)
        else:
            self._idle.append(worker)
        record = schedule.done(unit.video.video_id, result)
        if record is not None:
            yield record

    def _overdue(self, schedule: Schedule) -> Iterator[VideoRecord]:
        self._allow_for_absence()
        now, silent = time.monotonic(), self._signs.silent()
        for reference, flight in list(self._flights.items()):
            is_silent = flight.worker.worker_id in silent
            if flight.deadline > now and not is_silent:
                continue
            del self._flights[reference]
            self._end(flight.worker)
            if is_silent and self._lost_its_node(flight.worker):
                self._tell("loss", flight, reason="node_lost")
                self._again(flight, schedule)
                continue
            why = f"no sign of life for {self._settings.silence_s:.0f} s" if is_silent else "not done"
            after = "" if is_silent else f" after {flight.deadline - flight.begun:.0f} s"
            yield from self._lost(flight, Loss("timed_out", f"{why}{after}, its worker was ended"), schedule)
        for worker in self._idle:
            if worker.worker_id in silent:
                self._end(worker)
        self._idle = [worker for worker in self._idle if worker.worker_id not in silent]
        for worker in self._starts.give_up(silent):
            self._signs.forget(worker)

    def _end(self, worker: PooledWorker) -> None:
        self._ray.kill(worker.handle)
        self._signs.forget(worker)

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

    def _lost_its_node(self, worker: PooledWorker) -> bool:
        """Return whether a worker's node is known to be lost; Ray may notice that later than the loss of the worker."""
        return any(node["NodeID"] == worker.node_id and not node["Alive"] for node in self._ray.nodes())

    def _death_of(self, worker: PooledWorker, error: Exception) -> Loss:
        if loss := take_exit_note(self._plan.dataset, worker.worker_id):
            return loss
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return Loss("out_of_memory", "the machine ran out of memory, and Ray ended the worker")
        return Loss("worker_died", "the worker's process died")
