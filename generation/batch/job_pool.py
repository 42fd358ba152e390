"""Make jobs in this process, or in a pool of Ray workers that hold the models, each one job at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.engine.one_thread import use_one_thread
from curation.engine.ray_start import connect, sigterm_of_this_program
from foundation.devices import resolve_device, torch_device
from generation.batch.job_list import ListedJob
from generation.batch.job_maker import JobOutcome, outcome_of
from generation.trained_run import TrainedRun, load_run

__all__ = ["made_here", "made_on_ray"]

_ATTEMPTS = 2
"""Workers that may die of a job before it counts as failed: the first may have died of something else."""


def made_here(jobs: Sequence[ListedJob], run: TrainedRun) -> Iterator[tuple[ListedJob, JobOutcome]]:
    """Make jobs one after the other, and yield what became of each."""
    for listed in jobs:
        yield listed, outcome_of(listed.job, run)


class _Worker:
    """A process with the models of a run."""

    def __init__(self, run: Path, device: str) -> None:
        use_one_thread()
        self._run = load_run(run, torch_device(resolve_device(device)))

    def make(self, listed: ListedJob) -> JobOutcome:
        """Make a job."""
        return outcome_of(listed.job, self._run)


@dataclass(slots=True)
class _Flight:
    """A job that a worker makes."""

    worker: Any
    listed: ListedJob
    attempt: int


def made_on_ray(
    jobs: Sequence[ListedJob], run: Path, device: str, workers: int
) -> Iterator[tuple[ListedJob, JobOutcome]]:
    """Make jobs on as many processes of this machine, and yield what became of each, in the order in which they end.

    A worker whose process dies, such as for want of memory, is replaced, and its job is tried once more.

    Args:
        jobs: what to make.
        run: folder of the run, which each worker loads.
        device: `auto`, `cpu`, `cuda` or `cuda:K`; workers share it.
        workers: number of processes, each on one CPU.

    Raises:
        RayUnavailableError: Ray could not be started.
        CannotStartError, OSError: as by `outcome_of`.
    """
    import ray

    connect(workers, None, otherwise="--workers 1")
    try:
        yield from _Pool(ray, run.absolute(), device, min(workers, len(jobs))).made(jobs)
    finally:
        with sigterm_of_this_program():
            ray.shutdown()


class _Pool:
    """The workers, and their jobs."""

    def __init__(self, ray: Any, run: Path, device: str, workers: int) -> None:  # noqa: ANN401 - Ray has no types
        self._ray, self._given = ray, (run, device)
        on_gpu = torch_device(resolve_device(device)) != "cpu"
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0) / workers) if on_gpu else 0.0
        self._remote: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Worker)
        self._idle = [self._remote.remote(*self._given) for _ in range(workers)]

    def made(self, jobs: Sequence[ListedJob]) -> Iterator[tuple[ListedJob, JobOutcome]]:
        """Make all jobs."""
        waiting = deque((listed, 1) for listed in jobs)
        flights: dict[Any, _Flight] = {}
        while waiting or flights:
            while waiting and self._idle:
                worker, (listed, attempt) = self._idle.pop(), waiting.popleft()
                flights[worker.make.remote(listed)] = _Flight(worker, listed, attempt)
            (reference,), _ = self._ray.wait(list(flights), num_returns=1)
            flight = flights.pop(reference)
            try:
                outcome = self._ray.get(reference)
                self._idle.append(flight.worker)
                yield flight.listed, outcome
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error  # without Ray's name and traceback around it
            except self._ray.exceptions.RayActorError as error:
                self._idle.append(self._remote.remote(*self._given))
                if flight.attempt < _ATTEMPTS:
                    waiting.append((flight.listed, flight.attempt + 1))
                else:
                    told = f"the process that made it died, {_ATTEMPTS} times: {error}"
                    yield flight.listed, JobOutcome(seconds=0.0, error_code="worker_died", error=told)
