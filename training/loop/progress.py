"""Progress of a run: a bar with the time left on a terminal, one line per line of the log elsewhere."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TextIO

from foundation.text import duration_text, shown

__all__ = ["TrainProgress"]


class TrainProgress:
    """Count of the steps done, with the time left; only the first rank prints it."""

    def __init__(self, stream: TextIO, *, visible: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        """Show progress on `stream`: a bar where it is a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = Console(file=stream, highlight=False, soft_wrap=True, quiet=not visible)
        self._clock = clock
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            console=self._console,
            disable=not (visible and self._console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("steps", total=None, speed="")
        self._steps = self._first = self._done = 0
        self._begun_s = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, done: int, steps: int) -> None:
        """Set the number of steps, and how many an earlier call has done."""
        self._first, self._done, self._steps = done, done, steps
        self._begun_s = self._clock()
        self._bar.update(self._task, completed=done, total=steps)

    def advance(self) -> None:
        """Count a step."""
        if self._done == self._first:
            self._begun_s = self._clock()  # the first step also starts loaders and compiles: its time is no measure
        self._done += 1
        self._bar.update(self._task, completed=self._done, speed=self._left())

    def log(self, values: Mapping[str, float]) -> None:
        """Print the metrics of the steps since the last such line."""
        numbers = " · ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.say(f"[{self._done}/{self._steps}] {numbers} ({self._left()})")

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        self._console.print(shown(text, several_lines=True), markup=False)

    def _left(self) -> str:
        timed = self._done - self._first - 1
        if timed < 1:
            return "time left not known yet"
        left_s = (self._clock() - self._begun_s) / timed * (self._steps - self._done)
        return f"{duration_text(left_s)} left"
