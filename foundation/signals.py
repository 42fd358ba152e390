"""Handling of Ctrl-C and SIGTERM in long runs: the first ends the run after the work in progress, the second at once.

After both, the same command resumes the run.
"""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

__all__ = ["CtrlC", "StopRequest"]

_MESSAGE = (
    "Ctrl-C: no new unit is begun, those in flight end, then the tables are written. Ctrl-C again ends at once. "
    "Either way the same command goes on from here."
)


class CtrlC:
    """Context in which the first Ctrl-C only sets a flag; the second raises KeyboardInterrupt."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Prepare the context.

        Args:
            say: prints the message to the user at the first Ctrl-C.
        """
        self._say = say
        self._asked = False
        self._before: Callable[[int, FrameType | None], object] | int | None = signal.SIG_IGN

    def requested(self) -> bool:
        """Return whether Ctrl-C was pressed, so that the run is to end."""
        return self._asked

    def __enter__(self) -> Self:
        """Install the handler, in the main thread; if the process ignores Ctrl-C already, it stays ignored."""
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._say(_MESSAGE)


class StopRequest:
    """Context in which the first SIGTERM or SIGINT sets `signal`; a second one ends the process at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        """Number of the signal that arrived; None before."""
        self._before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def __enter__(self) -> Self:
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
