"""Being asked to end: SIGTERM, as clusters send it before they take a machine back, and Ctrl-C."""

import signal
from types import FrameType, TracebackType
from typing import Self

__all__ = ["StopRequest"]


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
