"""How many workers does one driver keep busy, and for which length of units does it stop scaling?

    python -m benchmarks.curation.many_workers [--workers 100 300 1000 3000] [--unit-s 2 10 60] [--turns 4]

A simulation: the scheduling loop, the supervision and the event log are the real ones, workers are made. A made worker
takes the given time for a unit, half to one and a half times. Its answers arrive as those of Ray would; what the calls
of Ray cost the driver is measured first, on a real cluster of this machine, with so many calls waiting. Time goes on by
the processor time of the driver, and where it waits, to the next answer. Not simulated: the network, the start of a
worker, Ray's own head.

Prints one JSON line for the costs of calls, and one for each pair of workers and length:

busy          share of the workers' time that they spend in units, while there are units; a few per cent too low
driver        share of one core that the driver takes
units_per_s   units that end in a second
handover_ms   mean time from the end of a unit to the next begin on its worker
"""

import argparse
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.curation.scheduling import idle_units
from curation.engine import ray_pool, ray_workers
from curation.engine.event_log import EventLog
from curation.engine.events import RunHooks, UnitEvent
from curation.engine.schedule import Schedule
from curation.engine.supervision import PoolSettings
from curation.engine.worker import WorkerPlan
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo

LATENCY_S = 0.001
"""From a call to the worker, and back: a network within a data centre, and Ray."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Processor time of the driver for calls of Ray, seconds."""

    wait: float
    """One `ray.wait`, whatever it waits for."""
    wait_each: float
    """In addition for each reference."""
    call: float
    """The call of an actor's method."""
    get: float
    """Taking an answer."""


def measured_costs(n_waiting: int = 2000, n_calls: int = 500) -> Costs:
    """Measure on a cluster of one core, whose actor is busy, so that calls wait."""
    import ray

    @ray.remote(num_cpus=0)
    class Sleeper:
        def sleep(self) -> None:
            time.sleep(3600)

    @ray.remote(num_cpus=0)
    class Answerer:
        def answer(self) -> int:
            return 0

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        sleeper, answerer = Sleeper.remote(), Answerer.remote()  # type: ignore[attr-defined]  # of the decorator
        ray.get(answerer.answer.remote())
        waiting = [sleeper.sleep.remote() for _ in range(n_waiting)]
        few = _processor_s(lambda: ray.wait(waiting[:10], num_returns=1, timeout=0), 200)
        many = _processor_s(lambda: ray.wait(waiting, num_returns=1, timeout=0), 200)
        answers: list[Any] = []
        call = _processor_s(lambda: answers.append(answerer.answer.remote()), n_calls)
        ray.wait(answers, num_returns=n_calls)
        taken = iter(answers)
        get = _processor_s(lambda: ray.get(next(taken)), n_calls)
    finally:
        ray.shutdown()
    each = max(0.0, (many - few) / (n_waiting - 10))
    return Costs(wait=few - 10 * each, wait_each=each, call=call, get=get)


def _processor_s(work: Any, times: int) -> float:  # noqa: ANN401 - a call without arguments
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) / times


class Clock:
    """Time of the simulation, seconds: the driver's processor time, what Ray's calls cost it, and its waiting."""

    def __init__(self) -> None:
        self.waited_s = self.charged_s = self._left_out_s = 0.0
        self._begun = time.process_time()

    def monotonic(self) -> float:
        """Return the time."""
        return self.busy_s + self.waited_s

    @property
    def busy_s(self) -> float:
        """Time in which the driver worked."""
        return time.process_time() - self._begun - self._left_out_s + self.charged_s

    @contextmanager
    def simulating(self) -> Iterator[None]:
        """Leave the time of the block out: the simulation's own."""
        begun = time.process_time()
        try:
            yield
        finally:
            self._left_out_s += time.process_time() - begun


@dataclass(eq=False, slots=True)
class Answer:
    """What a made worker will answer, and when; hashed by its identity, as Ray's references are by theirs."""

    ready: float
    value: Any


@dataclass
class MadeRay:
    """As much of Ray as a pool calls."""

    clock: Clock
    costs: Costs
    unit_s: float
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - repeatable
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(RayActorError=OSError, RayTaskError=OSError, RayError=OSError)
    )

    def remote(self, **_: object) -> Any:  # noqa: ANN401 - a decorator
        """Return what makes workers."""
        return lambda _: SimpleNamespace(remote=self._worker)

    def _worker(self) -> Any:  # noqa: ANN401 - a handle
        return SimpleNamespace(
            node_id=self._method(lambda: "node", 0.0),
            load=self._method(lambda *_: None, 0.0),
            run=self._method(lambda unit: unit.run(None), self.unit_s),
            sign=SimpleNamespace(options=lambda **_: self._method(lambda: None, 0.0)),
        )

    def _method(self, answer: Any, seconds: float) -> Any:  # noqa: ANN401 - a handle's method
        def call(*arguments: object) -> Answer:
            with self.clock.simulating():
                self.clock.charged_s += self.costs.call
                took_s = seconds * self.chance.uniform(0.5, 1.5) + LATENCY_S
                return Answer(self.clock.monotonic() + took_s, answer(*arguments))

        return SimpleNamespace(remote=call)

    def wait(self, answers: Sequence[Answer], *, num_returns: int, timeout: float) -> tuple[list[Answer], list[Answer]]:
        """Return answers that are there, at most `num_returns`, and charge for the call."""
        with self.clock.simulating():
            self.clock.charged_s += self.costs.wait + self.costs.wait_each * len(answers)
            now = self.clock.monotonic()
            ready = [answer for answer in answers if answer.ready <= now]
            if not ready and timeout:
                first = min(answers, key=lambda answer: answer.ready)
                self.clock.waited_s += min(first.ready - now, timeout)
                ready = [first] if first.ready - now <= timeout else []
            return ready[:num_returns], []

    def get(self, answer: Answer) -> Any:  # noqa: ANN401 - as Ray's
        """Return an answer, and charge for the call."""
        with self.clock.simulating():
            self.clock.charged_s += self.costs.get
            return answer.value

    def kill(self, _: object) -> None:
        """End a worker."""

    def nodes(self) -> list[dict[str, object]]:
        """Return no node."""
        return []


@dataclass
class Course:
    """Begins and ends of units."""

    clock: Clock
    ends: dict[str, float] = field(default_factory=dict)
    handovers: list[float] = field(default_factory=list)
    begun: int = 0
    settled: tuple[float, float, int] | None = None
    """Time at which as many second units had begun as there are workers, and the driver's time and units until then."""
    last: tuple[float, float, int] = (0.0, 0.0, 0)
    """The same at the latest begin."""
    n_done: int = 0

    def tell(self, event: UnitEvent, workers: int) -> None:
        """Receive an event."""
        now = self.clock.monotonic()
        if event.kind == "begin":
            self.begun += 1
            if event.worker in self.ends:
                self.handovers.append(now - self.ends[event.worker])
            self.last = (now, self.clock.busy_s, self.n_done)
            if self.begun == 2 * workers:
                self.settled = self.last
                self.handovers.clear()

    def landed(self, worker: str, ended: float) -> None:
        """Receive the end of a unit as its worker saw it."""
        self.ends[worker] = ended
        self.n_done += 1


class MadePool(ray_pool._Pool):  # noqa: SLF001 - the real scheduling, on made workers
    """A pool that notes when its workers were done, which its driver learns later."""

    course: Course

    def _landed(self, reference: Any, schedule: Schedule) -> Any:  # noqa: ANN401 - as the pool's
        self.course.landed(self._flights[reference].worker.name, reference.ready)
        return super()._landed(reference, schedule)


def simulated(workers: int, unit_s: float, turns: int, costs: Costs, folder: Path) -> dict[str, Any]:
    """Run a pool of made workers over `turns` units each."""
    clock = Clock()
    made = MadeRay(clock, costs, unit_s)
    course = Course(clock)
    videos = [
        SourceVideo(path=Path(f"/v/{k:07d}.mp4"), video_id=f"{k:016x}", source="made", speaker_id=None, size_bytes=k)
        for k in range(workers * turns)
    ]
    for module in (ray_pool, ray_workers):
        module.time = SimpleNamespace(monotonic=clock.monotonic)  # type: ignore[attr-defined]
    with EventLog(folder) as log:

        def on_event(event: UnitEvent) -> None:
            log.tell(event)
            course.tell(event, workers)

        plan, settings = WorkerPlan(settings=CurationSettings(), dataset=folder), PoolSettings()
        pool = MadePool(plan, workers, 0.0, settings, RunHooks(on_event=on_event))
        pool.course, pool._ray = course, made  # noqa: SLF001 - likewise
        pool._starts = ray_workers.Starts(made, plan, settings, 0.0)  # noqa: SLF001
        pool._signs = ray_workers.SignsOfLife(made, settings.silence_s)  # noqa: SLF001
        for _ in pool.run(Schedule(idle_units(videos), largest_first=True)):
            pass
    if course.settled is None or course.n_done != len(videos):
        raise RuntimeError(f"{course.n_done} of {len(videos)} units came back")
    wall_s, busy_s, n_units = (last - first for last, first in zip(course.last, course.settled, strict=True))
    handover_s = statistics.mean(course.handovers)
    return {
        "workers": workers,
        "unit_s": unit_s,
        "busy": round(min(1.0, n_units * unit_s / (workers * wall_s)), 3),
        "driver": round(busy_s / wall_s, 3),
        "units_per_s": round(n_units / wall_s, 1),
        "handover_ms": round(1000 * handover_s, 1),
    }


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[100, 300, 1000, 3000])
    parser.add_argument("--unit-s", type=float, nargs="+", default=[2.0, 10.0, 60.0])
    parser.add_argument("--turns", type=int, default=4, help="units of each worker, at least 3")
    arguments = parser.parse_args()
    costs = measured_costs()
    print(
        json.dumps(
            {f"{name}_us": round(1e6 * getattr(costs, name), 2) for name in ("wait", "wait_each", "call", "get")}
        )
    )
    for workers, unit_s in itertools.product(arguments.workers, arguments.unit_s):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(simulated(workers, unit_s, arguments.turns, costs, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
