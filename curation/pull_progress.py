"""What `models pull` shows while bytes come: a bar on a terminal, a line for every tenth elsewhere."""

import logging
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["PullProgress"]


class PullProgress:
    """Shows how far each download is, and what `curation.assets` says of it."""

    def __init__(self, stream: TextIO) -> None:
        """Show progress on `stream`: bars where it is a terminal."""
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}
        self._logger = logging.getLogger("curation.assets")
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
    """Prints above the bars."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(record.getMessage(), markup=False)
