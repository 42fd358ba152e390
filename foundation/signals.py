"""Ctrl-C on a long run: once, it ends after the units in flight; twice, at once. Both can be gone on with."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

__all__ = ["CtrlC", "StopRequest"]

_TOLD = (
    "Ctrl-C: no new unit is begun, those in flight end, then the tables are written. Ctrl-C again ends at once. "
    "Either way the same command goes on from here."
)


class CtrlC:
    """While it is entered, the first Ctrl-C is only taken note of; the second raises KeyboardInterrupt."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            say: is given what a user is told on the first.
        """
        self._say = say
        self._asked = False
        self._before: Callable[[int, FrameType | None], object] | int | None = signal.SIG_IGN

    def asked(self) -> bool:
        """Say whether the run is to end."""
        return self._asked

    def __enter__(self) -> Self:
        """Begin to listen, in the main thread; where the shell has this process ignore Ctrl-C, it stays ignored."""
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
        self._say(_TOLD)


class StopRequest:
    """Takes SIGTERM and SIGINT while its context lasts: the first is noted, a second one ends the process at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        """Which came."""
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
