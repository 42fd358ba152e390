"""The end of a program: a command that has failed, was stopped or is done leaves within seconds, whatever still waits.

Errors unwind the command first, so that its blocks end what they have begun. Threads that wait for a store, or a
library that does not return, could keep the process alive even so; a watchdog then ends it. Processes that belong to
the program watch it and end after it.
"""

import atexit
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from foundation.errors import (
    EXIT_CANNOT_START,
    EXIT_INTERRUPTED,
    EXIT_PIPE_CLOSED,
    EXIT_PROBLEMS,
    EXIT_TERMINATED,
    GaiaError,
)
from foundation.signals import Terminated, forgiven

__all__ = ["reader_is_gone", "run_program"]

_GRACE_S = 7.0
"""Time from a signal that ends the program at once, or from its last statement, to its forced end."""

_LAST_RESORT_S = 1
"""Time after that in which the system ends the process, because no thread of Python could."""


def run_program(name: str, command: Callable[[], object]) -> NoReturn:
    """Run a command line as the main function of this process, and end the process.

    SIGTERM raises `Terminated` in the command. A closed pipe, as of `| head`, ends it without a word.

    Args:
        name: of the program, put before messages.
        command: parses the command line, runs it, and ends with SystemExit.

    Raises:
        SystemExit: always, but for an error that is a fault of the program.
    """
    watchdog = _Watchdog(name, _signals_of_this_process())
    watchdog.start()
    try:
        signal.signal(signal.SIGTERM, _raise_terminated)
        code = _code_of(name, command)
    except KeyboardInterrupt:
        code = EXIT_TERMINATED if Terminated.arrived else EXIT_INTERRUPTED
        _say(f"{name}: {'SIGTERM' if Terminated.arrived else 'Ctrl-C'}: ended at once; the same command goes on")
    except BaseException:
        watchdog.leave(EXIT_PROBLEMS)
        raise
    code = _flushed(name, code)
    watchdog.leave(code)
    sys.exit(code)


def reader_is_gone() -> bool:
    """Return whether the process that read standard output or standard error through a pipe has ended."""
    poll = select.poll()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _code_of(name: str, command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as ended:
        # Typer and Rich end the program with code 1 where they meet a closed pipe
        if isinstance(ended.__context__, BrokenPipeError) and reader_is_gone():
            return EXIT_PIPE_CLOSED
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except GaiaError as error:
        _say(f"{name}: {error}")
        return error.exit_code
    except OSError as error:  # mostly of standard output, for errors of files are told where their place is known
        _say(f"{name}: what it reads or prints cannot be read or written: {error}; make room, or direct it elsewhere")
        return EXIT_CANNOT_START
    return 0


def _flushed(name: str, code: int) -> int:
    """Flush standard output, and return the exit code after that: Python would tell an error with a traceback."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # what could not be written must not be tried again as the interpreter ends
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return EXIT_PIPE_CLOSED
        if code != EXIT_CANNOT_START:  # otherwise it has been said
            _say(f"{name}: standard output cannot be written: {error.strerror}; direct it elsewhere, or make room")
        return EXIT_CANNOT_START
    return code


def _say(message: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{message}\n")


def _raise_terminated(_number: int, _frame: FrameType | None) -> None:
    Terminated.arrived = True
    raise Terminated


class _Watchdog(threading.Thread):
    """Ends the process some seconds after it should have ended by itself."""

    def __init__(self, name: str, signals: int) -> None:
        """Prepare it.

        Args:
            name: of the program.
            signals: descriptor of a pipe that brings the numbers of the signals of this process, a byte each.
        """
        super().__init__(daemon=True)
        self._program, self._signals = name, signals
        self._deadline: float | None = None
        self._code, self._left = EXIT_PROBLEMS, False
        # The first to be registered is the last to be called. What Python does after that frees memory, and in the
        # destructors of libraries, such as those of connections to ranks that are gone, it may wait for ever.
        atexit.register(self._end)
        if (processes := sys.modules.get("multiprocessing.util")) is not None:
            # imported before, but what it began, such as semaphores, is to be ended
            last = vars(processes)["_exit_function"]
            atexit.unregister(last)
            atexit.register(last)

    def leave(self, code: int) -> None:
        """Begin to count: the program is at its end, with this exit code."""
        self._code, self._deadline = code, time.monotonic() + _GRACE_S
        self._left = True
        # the system keeps count as well, for the time in which Python runs no thread any more
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(_GRACE_S) + _LAST_RESORT_S)

    def _end(self) -> None:
        if self._left:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(self._code)

    def run(self) -> None:
        """Wait for signals, and for the deadline that they or the end of the program set."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        while self._deadline is None or time.monotonic() < self._deadline:
            if poll.poll(100):
                for number in os.read(self._signals, 64):
                    self._arrived(number)
        with contextlib.suppress(OSError):
            os.write(2, f"{self._program}: something did not end within {_GRACE_S:.0f} s; left it\n".encode())
        os._exit(self._code)

    def _arrived(self, number: int) -> None:
        if number in (signal.SIGINT, signal.SIGTERM) and self._deadline is None and not forgiven(number):
            self._code, self._deadline = 128 + number, time.monotonic() + _GRACE_S


def _signals_of_this_process() -> int:
    """Return a pipe's descriptor that brings the numbers of signals, even while a library holds the main thread."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading
