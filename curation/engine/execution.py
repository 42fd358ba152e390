"""Execution of a run with its observers: the event log, the progress display, and Ctrl-C."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal, Protocol

from curation.engine.event_log import EventLog
from curation.engine.events import RunHooks, UnitEvent
from curation.engine.inline import curate_inline
from curation.engine.ray_pool import curate_on_ray
from curation.engine.supervision import PoolSettings
from curation.engine.worker import WorkerPlan
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings
from foundation.signals import CtrlC
from foundation.text import count_text

__all__ = ["Executor", "RunWatcher"]


class RunWatcher(Protocol):
    """Observer of a run, such as a progress display."""

    def reading(self, n_files: int, n_bytes: int) -> None:
        """Receive the size of the local files that are about to be read for their ids, where it takes a while."""

    def start(self, todo: Sequence[SourceVideo], already_done: int) -> None:
        """Receive the videos to curate, and the number that an earlier run has done."""

    def tell(self, event: UnitEvent) -> None:
        """Receive an event of a unit."""

    def advance(self, record: VideoRecord) -> None:
        """Receive the record of a finished video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Executor:
    """Executor of a run: this process, or a pool of Ray workers."""

    kind: Literal["inline", "ray"] = "inline"
    """`inline`: this process; `ray`: a pool of Ray workers."""
    workers: int = 1
    """Number of Ray workers, one core each."""
    ray_address: str | None = None
    """Address of a running Ray cluster; None: Ray is started on this machine."""
    gpus_per_worker: float = 0.0
    """Share of a GPU that each Ray worker takes."""
    pool: PoolSettings = field(default_factory=PoolSettings)
    """Deadlines, retries and memory of Ray workers."""
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    """Local space for copies of remote sources."""

    @classmethod
    def of_workers(cls, workers: int) -> "Executor":
        """Return the usual executor: this process for one worker, Ray on this machine for more."""
        return cls(kind="ray" if workers > 1 else "inline", workers=workers)

    def curate(
        self,
        plan: WorkerPlan,
        todo: Sequence[SourceVideo],
        *,
        already_done: int = 0,
        watcher: RunWatcher | None = None,
        ctrl_c: CtrlC | None = None,
    ) -> Iterator[VideoRecord]:
        """Yield the record of each video as it is done, after it is logged and shown.

        Args:
            plan: the parameters of the workers.
            todo: videos to curate.
            already_done: how many an earlier run has done.
            watcher: receives the events of the run.
            ctrl_c: ends the run early, which leaves videos without a record; None: only KeyboardInterrupt ends it.

        Raises:
            RayUnavailableError: no cluster could be started or joined, or workers cannot be started on it.
            OSError: the dataset cannot be written.
            KeyboardInterrupt: the user ended it at once.
        """
        if watcher is not None:
            watcher.start(todo, already_done)
        if not todo:
            return
        with EventLog(plan.dataset) as log, ctrl_c or nullcontext():

            def on_event(event: UnitEvent) -> None:
                log.tell(event)
                if watcher is not None:
                    watcher.tell(event)

            log.run("run_begin", f"{count_text(len(todo), 'video')} to curate, {already_done} done before")
            n_done = 0
            hooks = RunHooks(on_event=on_event, stopped=ctrl_c.requested) if ctrl_c else RunHooks(on_event=on_event)
            for record in self._records(plan, todo, hooks):
                n_done += 1
                if watcher is not None:
                    watcher.advance(record)
                yield record
            log.run("run_end", f"{count_text(n_done, 'video')} done, {len(todo) - n_done} left")

    def _records(self, plan: WorkerPlan, todo: Sequence[SourceVideo], hooks: RunHooks) -> Iterator[VideoRecord]:
        if self.kind == "inline":
            return curate_inline(plan, todo, hooks)
        return curate_on_ray(
            plan,
            todo,
            workers=self.workers,
            address=self.ray_address,
            gpus_per_worker=self.gpus_per_worker,
            settings=self.pool,
            hooks=hooks,
        )
