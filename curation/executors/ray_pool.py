"""Curates videos on a pool of Ray actors: each holds all models and has one video in flight.

The driver owns the list of what is to be done; an actor that dies costs the video it had and nothing else.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from curation.ledger import VideoRecord, write_record
from curation.sources import SourceVideo
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
    pending = deque(sorted(videos, key=lambda video: -video.size_bytes))
    try:
        idle = [remote.remote(plan) for _ in range(min(workers, len(pending)))]
        running: dict[Any, tuple[Any, SourceVideo]] = {}
        while pending or running:
            while pending and idle:
                actor, video = idle.pop(), pending.popleft()
                running[actor.curate.remote(video)] = (actor, video)
            done, _ = ray.wait(list(running), num_returns=1)
            actor, video = running.pop(done[0])
            try:
                record = ray.get(done[0])
            except ray.exceptions.RayActorError as error:
                record = VideoRecord.failed(video, "internal", f"the worker died: {error}")
                write_record(plan.dataset, record)
                actor = remote.remote(plan)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error  # without Ray's name and traceback around it
            idle.append(actor)
            yield record
    finally:
        ray.shutdown()


class _Actor:
    """A worker as Ray sees it."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._worker = plan.make_worker()

    def curate(self, video: SourceVideo) -> VideoRecord:
        return self._worker.curate(video)
