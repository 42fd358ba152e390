"""Curates videos on a pool of Ray actors: each holds all models and has one unit in flight.

The driver owns the schedule of what is to be done; an actor that dies costs the video it had and nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from curation.ledger import VideoRecord, write_record
from curation.schedule import Schedule
from curation.sources import SourceVideo
from curation.units import Outcome, Unit
from curation.windows import remove_windows
from curation.worker import WorkerPlan

__all__ = ["RayUnavailableError", "curate_on_ray"]


class RayUnavailableError(RuntimeError):
    """No Ray cluster could be started or joined."""


def curate_on_ray(
    plan: WorkerPlan, videos: Sequence[SourceVideo], *, workers: int, address: str | None, gpus_per_worker: float
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done, in the order in which they end.

    Args:
        plan: what every actor loads and where it writes.
        videos: what to curate; the largest files are begun first, so that no long one is left for the end.
        workers: number of actors, each on one CPU.
        address: of a running cluster; None starts one on this machine.
        gpus_per_worker: share of a GPU that each actor reserves.

    Raises:
        RayUnavailableError: no cluster could be started or joined.
        OSError: the dataset cannot be written.
    """
    import ray

    try:
        # The dashboard and the log relay are of no use to a run that shows its own progress.
        ray.init(address=address, num_cpus=None if address else workers, include_dashboard=False, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"join the Ray cluster at {address}" if address else "start Ray on this machine"
        raise RayUnavailableError(f"cannot {where}: {error}; try --executor inline") from error
    # Ray makes its handles at run time, so they have no type to name.
    remote: Any = ray.remote(num_cpus=1, num_gpus=gpus_per_worker)(_Actor)
    schedule = Schedule(videos, largest_first=True)
    try:
        idle: list[Any] = []
        running: dict[Any, tuple[Any, Unit]] = {}
        while True:
            while len(running) < workers and (unit := schedule.next()) is not None:
                actor = idle.pop() if idle else remote.remote(plan)
                running[actor.work.remote(unit)] = (actor, unit)
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            actor, unit = running.pop(done[0])
            outcome: Outcome
            try:
                outcome = ray.get(done[0])
            except ray.exceptions.RayActorError as error:
                outcome = VideoRecord.failed(unit.video, "internal", f"the worker died: {error}")
                write_record(plan.dataset, outcome)
                remove_windows(plan.dataset, unit.video.video_id)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # without Ray's name and traceback around it
            else:
                idle.append(actor)
            record = schedule.done(unit, outcome)
            if record is not None:
                yield record
    finally:
        ray.shutdown()


class _Actor:
    """A worker as Ray sees it."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._worker = plan.make_worker()

    def work(self, unit: Unit) -> Outcome:
        return self._worker.work(unit)
