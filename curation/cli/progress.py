"""Progress displays: live on a terminal, one line per video or tenth of a download elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from curation.engine.events import UnitEvent
from curation.engine.pace import Pace
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from foundation.signals import CtrlC
from foundation.storage.path_text import plain_path
from foundation.text import count_text, duration_text, gigabytes, printable, shown

__all__ = ["PullProgress", "RunProgress", "run_progress", "told_on_terminal"]

_SAY_EVERY_S = 2.0

_MOST_WORKERS = 16
"""Rows of the live display; with more workers, those whose units have run longest."""


@contextmanager
def run_progress() -> Iterator[tuple["RunProgress", CtrlC]]:
    """Show progress on stderr, and end a run early at Ctrl-C, with a message there."""
    with RunProgress(sys.stderr) as progress:
        yield progress, CtrlC(progress.say)


class RunProgress:
    """Progress display of a run: videos, hours in and hours kept, speed, and the unit of each worker."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Show progress on `stream`: a live display where it is a terminal."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._clock = clock
        self._live: Live | None = None
        self._pace = Pace(())
        self._todo = self._done = self._failed = 0
        self._in_s = self._diffusion_s = self._vae_s = 0.0
        self._begun_s: float | None = None
        """Begin of the first unit: the time of loading models is not part of the pace."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def reading(self, n_files: int, n_bytes: int) -> None:
        """Print what is read before the work begins."""
        self.say(f"reading {count_text(n_files, 'file')}, {gigabytes(n_bytes)}, to know videos by their content")

    def start(self, todo: Sequence[SourceVideo], already_done: int) -> None:
        """Print the number of videos."""
        self._todo = len(todo)
        self._pace = Pace(todo)
        self.say(
            f"{count_text(self._todo, 'video')} to curate" + (f", {already_done} done before" if already_done else "")
        )
        if self._console.is_terminal and todo:
            self._live = Live(get_renderable=self._renderable, console=self._console, refresh_per_second=2)
            self._live.start()

    def tell(self, event: UnitEvent) -> None:
        """Receive an event of a unit."""
        now_s = self._clock()
        if self._begun_s is None:
            self._begun_s = now_s
        self._pace.tell(event, now_s)

    def advance(self, record: VideoRecord) -> None:
        """Count one video that is done."""
        self._pace.advance(record)
        self._done += 1
        self._failed += record.status != "ok"
        self._in_s += record.requested_s
        self._diffusion_s += record.kept_diffusion_s
        self._vae_s += record.kept_vae_s
        if record.status == "ok":
            tiers = f"{record.kept_diffusion_s:.1f} s diffusion, {record.kept_vae_s:.1f} s vae"
            outcome = f"kept {tiers} of {record.requested_s:.1f} s"
        else:
            outcome = f"{record.status}: {record.error_code}: {record.error_detail}"
        ahead = "" if self._live else f" ({self._speed()}, {self._left()})"
        self.say(f"[{self._done}/{self._todo}] {record.path}: {outcome}{ahead}")

    def say(self, text: str) -> None:
        """Print a line, above the live display where there is one."""
        self._console.print(shown(text), markup=False)

    def _renderable(self) -> RenderableType:
        left_s = self._pace.video_left_s()
        total_s = None if left_s is None else self._pace.done_s + left_s
        bar = ProgressBar(total=total_s, completed=self._pace.done_s, width=40, pulse=not total_s)
        row = Table.grid()
        row.add_row(bar)  # which does not end its line by itself
        return Group(row, Text(self._totals()), self._workers())

    def _totals(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return (
            f"{self._done} of {count_text(self._todo, 'video')}{failed} · {duration_text(self._in_s)} in · kept "
            f"{duration_text(self._diffusion_s)} diffusion, {duration_text(self._vae_s)} vae · "
            f"{self._speed()} · {self._left()}"
        )

    def _workers(self) -> Table:
        now_s = self._clock()
        # a copy, for this runs on the display's own thread
        flights = sorted(dict(self._pace.flights).items(), key=lambda item: item[1].begun_s)
        rows = Table.grid(padding=(0, 2))
        for worker, flight in flights[:_MOST_WORKERS]:
            name = printable(plain_path(flight.unit.video.path).name)
            rows.add_row(worker, Text(f"{flight.unit.name} ({name})"), duration_text(now_s - flight.begun_s))
        if len(flights) > _MOST_WORKERS:
            rows.add_row(f"and {len(flights) - _MOST_WORKERS} more")
        return rows

    def _speed(self) -> str:
        """Return the speed in words: length of measured video over the time since the first unit was begun."""
        spent_s = 0.0 if self._begun_s is None else self._clock() - self._begun_s
        return f"{self._pace.done_s / spent_s if spent_s else 0.0:.1f} times real time"

    def _left(self) -> str:
        left_s = self._pace.left_s(self._clock())
        return "time left not known yet" if left_s is None else f"{duration_text(left_s)} left"


def told_on_terminal(what: str) -> Callable[[int, int], None]:
    """Return a function that says now and then how many videos of how many are done, where stderr is a terminal.

    Args:
        what: was done to them, such as "looked at".
    """
    said_s = [time.monotonic()]

    def say(done: int, total: int) -> None:
        now_s = time.monotonic()
        if sys.stderr.isatty() and done < total and now_s - said_s[0] > _SAY_EVERY_S:
            said_s[0] = now_s
            sys.stderr.write(f"{what} {done:,} of {count_text(total, 'video')}\n")

    return say


class PullProgress:
    """Progress display of downloads, with the messages of `foundation.weights`."""

    def __init__(self, stream: TextIO) -> None:
        """Show progress on `stream`: bars where it is a terminal."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}
        self._logger = logging.getLogger("foundation.weights")
        self._handler = _ConsoleHandler(self._console)
        self._level = self._logger.level

    def __enter__(self) -> Self:
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.INFO)
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        self._logger.setLevel(self._level)
        self._logger.removeHandler(self._handler)

    def advance(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Show that `done_bytes` of `total_bytes` of the file called `name` are there."""
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name)
        self._bars.update(self._tasks[name], completed=done_bytes, total=total_bytes)
        tenth = 10 * done_bytes // max(total_bytes, 1)
        if not self._console.is_terminal and tenth != self._tenths.get(name):
            self._tenths[name] = tenth
            self._console.print(f"{name}: {done_bytes / 1e6:.1f} of {total_bytes / 1e6:.1f} MB", markup=False)


class _ConsoleHandler(logging.Handler):
    """Log handler that prints above the bars."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(shown(record.getMessage()), markup=False)
