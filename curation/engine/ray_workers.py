"""Workers of a Ray pool, as the driver knows them: their start, and the signs of life that they give.

A worker answers the driver every few seconds, from a thread of its own. An answer proves that its process is scheduled
and its interpreter runs; whether its unit goes on is a matter of deadlines. So a worker that is stopped, or whose
interpreter is stuck, is lost after `PoolSettings.silence_s`, whatever its unit may take, and also while it starts.
"""

import itertools
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from curation.engine.pool_worker import PoolWorker, Sign
from curation.engine.ray_start import RayUnavailableError
from curation.engine.supervision import PoolSettings, take_exit_note
from curation.engine.worker import WorkerPlan

__all__ = ["PooledWorker", "SignsOfLife", "Starts"]

_MAX_FAILED_STARTS = 3
"""Consecutive workers that fail to load before the run ends."""

_ASK_EVERY_S = 5.0
"""Time between two questions to a worker."""

_SIGNS = "signs of life"
"""The group of calls that an actor answers while a unit is running."""


@dataclass(slots=True, eq=False)
class PooledWorker:
    """An actor, as the driver knows it."""

    handle: Any
    worker_id: str
    name: str
    """Its name in events."""
    node_id: str = ""
    """Id of the node that it runs on; empty until it has started."""
    started: float = 0.0
    """Time on the monotonic clock at which it had loaded its models; before, at which it was begun."""
    n_units: int = 0


class SignsOfLife:
    """The questions to workers that are not answered yet."""

    def __init__(self, ray: Any, silence_s: float) -> None:  # noqa: ANN401 - Ray makes its names at run time
        self._ray, self._silence_s = ray, silence_s
        self._asked: dict[Any, tuple[PooledWorker, float]] = {}
        self._last_asked: dict[str, float] = {}

    def ask(self, workers: Iterable[PooledWorker]) -> None:
        """Ask those that have answered and are to be asked again."""
        now = time.monotonic()
        open_ids = {worker.worker_id for worker, _ in self._asked.values()}
        for worker in workers:
            due = self._last_asked.get(worker.worker_id, -_ASK_EVERY_S) + _ASK_EVERY_S
            if worker.worker_id not in open_ids and due <= now:
                reference = worker.handle.sign.options(concurrency_group=_SIGNS).remote()
                self._asked[reference], self._last_asked[worker.worker_id] = (worker, now), now

    def answers(self) -> list[Sign]:
        """Return what workers have answered; one that has died answers nothing, which its unit tells."""
        signs: list[Sign] = []
        if not self._asked:
            return signs
        done, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        for reference in done:
            del self._asked[reference]
            try:
                sign = self._ray.get(reference)
            except self._ray.exceptions.RayError:
                continue
            if sign is not None:
                signs.append(sign)
        return signs

    def silent(self) -> set[str]:
        """Return the ids of the workers that owe an answer for too long."""
        latest = time.monotonic() - self._silence_s
        return {worker.worker_id for worker, asked in self._asked.values() if asked <= latest}

    def forgive(self) -> None:
        """Begin all waiting anew, because the driver itself did not run."""
        now = time.monotonic()
        self._asked = {reference: (worker, now) for reference, (worker, _) in self._asked.items()}

    def forget(self, gone: PooledWorker) -> None:
        """Drop a worker that has ended."""
        self._asked = {
            reference: (worker, asked) for reference, (worker, asked) in self._asked.items() if worker is not gone
        }
        self._last_asked.pop(gone.worker_id, None)


class Starts:
    """Workers that are not ready yet: first each is placed on a node, then it loads its models."""

    def __init__(self, ray: Any, plan: WorkerPlan, settings: PoolSettings, gpus_per_worker: float) -> None:  # noqa: ANN401 - as above
        self._ray, self._plan, self._settings = ray, plan, settings
        self._remote: Any = ray.remote(
            num_cpus=1,
            num_gpus=gpus_per_worker,
            scheduling_strategy="SPREAD",
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={_SIGNS: 1},
        )(PoolWorker)
        self._placing: dict[Any, PooledWorker] = {}
        self._loading: dict[Any, PooledWorker] = {}
        self._numbers = itertools.count(1)
        self._n_failed = 0
        self._place_s = settings.silence_s

    def __len__(self) -> int:
        """Number of workers that are not ready."""
        return len(self._placing) + len(self._loading)

    @property
    def references(self) -> list[Any]:
        """What to wait for."""
        return [*self._placing, *self._loading]

    @property
    def loading(self) -> list[PooledWorker]:
        """Workers that load their models, and so give signs of life."""
        return list(self._loading.values())

    def begin(self) -> None:
        """Begin another worker."""
        handle = self._remote.remote()
        worker = PooledWorker(handle, uuid.uuid4().hex, f"worker {next(self._numbers)}", started=time.monotonic())
        self._placing[handle.node_id.remote()] = worker

    def landed(self, reference: Any) -> PooledWorker | None:  # noqa: ANN401 - as above
        """Return the worker that is ready, None where it goes on starting or has failed.

        Raises:
            RayUnavailableError: too many in a row have failed.
        """
        placing = reference in self._placing
        worker = self._placing.pop(reference) if placing else self._loading.pop(reference)
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            loss = take_exit_note(self._plan.dataset, worker.worker_id)
            self._failed(worker, loss.detail if loss else str(error), error)
            return None
        except self._ray.exceptions.RayTaskError as error:  # without Ray's name and traceback around it
            self._failed(worker, str(error.cause), error)
            return None
        now = time.monotonic()
        if placing:
            self._place_s = self._settings.silence_s
            worker.node_id, worker.started = answer, now
            loaded = worker.handle.load.remote(self._plan, worker.worker_id, self._settings)
            self._loading[loaded] = worker
            return None
        self._n_failed, worker.started = 0, now
        return worker

    def give_up(self, silent: set[str]) -> list[PooledWorker]:
        """End the workers that do not get ready, and return those that were loading.

        A worker may wait for a free core for long, and Ray does not tell that from a process that stands still. So one
        that is not placed is replaced, which costs it nothing, each time after twice the time.

        Args:
            silent: ids of workers that give no sign of life.

        Raises:
            RayUnavailableError: too many in a row have failed.
        """
        now, gone = time.monotonic(), []
        for reference, worker in list(self._placing.items()):
            if now - worker.started > self._place_s:
                del self._placing[reference]
                self._place_s *= 2
                self._ray.kill(worker.handle)
        for reference, worker in list(self._loading.items()):
            how = "gave no sign of life" if worker.worker_id in silent else ""
            if now - worker.started > self._settings.start_s:
                how = "was not done"
            if how:
                del self._loading[reference]
                gone.append(worker)
                self._failed(worker, f"it {how} while it loaded its models, and was ended", None)
        return gone

    def forgive(self, absent_s: float) -> None:
        """Begin all waiting anew, because the driver itself did not run for so many seconds."""
        for worker in (*self._placing.values(), *self._loading.values()):
            worker.started += absent_s

    def _failed(self, worker: PooledWorker, why: str, error: Exception | None) -> None:
        self._ray.kill(worker.handle)
        self._n_failed += 1
        if self._n_failed >= _MAX_FAILED_STARTS:
            raise RayUnavailableError(
                f"{self._n_failed} workers in a row could not be started; the last one: {why}"
            ) from error
