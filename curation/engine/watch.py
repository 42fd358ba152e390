"""An executor at work, with all that watches it: the event log, the display, and Ctrl-C."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

from curation.engine.event_log import EventLog
from curation.engine.events import Oversight, UnitEvent
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from foundation.signals import CtrlC

__all__ = ["RunWatcher", "attended"]


class RunWatcher(Protocol):
    """Is told how a run goes."""

    def start(self, todo: Sequence[SourceVideo], already_done: int) -> None:
        """Take note of which videos there are to curate, and how many an earlier run has done."""

    def tell(self, event: UnitEvent) -> None:
        """Take note of what happened to a unit."""

    def advance(self, record: VideoRecord) -> None:
        """Take note of a video that is done."""


def attended(
    curate: Callable[[Oversight], Iterator[VideoRecord]],
    dataset: Path,
    todo: Sequence[SourceVideo],
    *,
    already_done: int = 0,
    watcher: RunWatcher | None,
    ctrl_c: CtrlC | None,
) -> Iterator[VideoRecord]:
    """Yield the record of each video as it is done, after everybody has been told.

    Args:
        curate: begins the work.
        dataset: folder whose event log is written.
        todo: videos to curate.
        already_done: how many an earlier run has done.
        watcher: is told how it goes.
        ctrl_c: says when to end early, which leaves videos without a record; None: only KeyboardInterrupt ends it.

    Raises:
        OSError: the dataset cannot be written.
        KeyboardInterrupt: the user wants it to end at once.
    """
    if watcher is not None:
        watcher.start(todo, already_done)
    if not todo:
        return
    with EventLog(dataset) as log, ctrl_c or nullcontext():

        def tell(event: UnitEvent) -> None:
            log.tell(event)
            if watcher is not None:
                watcher.tell(event)

        log.run("run_begin", f"{len(todo)} videos to curate, {already_done} done before")
        n_done = 0
        oversight = Oversight(tell=tell, stopped=ctrl_c.asked) if ctrl_c else Oversight(tell=tell)
        for record in curate(oversight):
            n_done += 1
            if watcher is not None:
                watcher.advance(record)
            yield record
        log.run("run_end", f"{n_done} videos done, {len(todo) - n_done} left")
