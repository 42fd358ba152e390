"""Handling of Ctrl-C and SIGTERM: long runs end after the work in progress, and at the second signal at once.

After either, the same command resumes the run.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from foundation.errors import CannotStartError

__all__ = ["CtrlC", "StopRequest", "Terminated", "WaitOverError", "forgiven", "limited_wait"]

_MESSAGE = (
    "Ctrl-C: no new unit is begun, those in flight end, then the tables are written. Ctrl-C again ends at once. "
    "Either way the same command goes on from here."
)

_AGAIN_S = 1.0
"""Time after which an interruption is repeated: a destructor that happens to run swallows exceptions."""

_PATIENCE_S = 4.0
"""Longest that a limited wait goes on after a signal."""

_CTRL_C = (signal.SIGINT,)

_STOP = (signal.SIGTERM, signal.SIGINT)

_leaves: list[tuple[signal.Signals, ...]] = []
"""For each context that lets its work end after one signal: which signals these are."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: as Ctrl-C does, it unwinds the command, so that all that was begun is ended.

    It is a KeyboardInterrupt because other libraries know what to do with that alone: Ray ends a wait with a new one.
    """

    arrived = False
    """Whether it was raised in this process, whatever came of it."""


class WaitOverError(CannotStartError):
    """A limited wait took too long."""


class _Interruption(BaseException):
    """Ends a wait; no `except Exception` of other libraries stops it."""


def forgiven(number: int) -> bool:
    """Return whether a signal that has just arrived may let work end that is in progress; each such leave counts once.

    For a watchdog that enforces the end after all other signals.
    """
    leave = next((leave for leave in _leaves if number in leave), None)
    if leave is None:
        return False
    _leaves.remove(leave)
    return True


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
            _leaves.append(_CTRL_C)
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)
        if not self._asked and _CTRL_C in _leaves:
            _leaves.remove(_CTRL_C)

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
        self._waiting = False
        self._before = {number: signal.getsignal(number) for number in _STOP}

    def __enter__(self) -> Self:
        _leaves.append(_STOP)
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if self.signal is None and _STOP in _leaves:
            _leaves.remove(_STOP)

    @contextmanager
    def limited_wait(self, limit_s: float) -> Iterator[None]:
        """Limit a wait as the function `limited_wait` does; once a signal has arrived, to a few seconds.

        Raises:
            WaitOverError: the block did not end in time.
        """
        with limited_wait(limit_s if self.signal is None else min(limit_s, _PATIENCE_S)):
            self._waiting = True
            try:
                yield
            finally:
                self._waiting = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()
        if self._waiting and signal.getitimer(signal.ITIMER_REAL)[0] > _PATIENCE_S:
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S, _AGAIN_S)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@contextmanager
def limited_wait(limit_s: float) -> Iterator[None]:
    """Limit the time that the block may wait for something, in the main thread; blocking calls are interrupted.

    It takes the timer and the signal SIGALRM of the process.

    Args:
        limit_s: longest wait, seconds.

    Raises:
        WaitOverError: the block did not end in time. What it called is in no known state, and must not be used again.
    """
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AGAIN_S)
    try:
        yield
    except _Interruption as interruption:
        raise WaitOverError(f"not done after {limit_s:g} s") from interruption
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _Interruption
