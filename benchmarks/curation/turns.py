"""Processes that take turns at every access to a dataset, in an order that a seed decides.

Each process is a fork of this one. Before it opens, lists, renames or removes a file of the watched folder, or calls an
S3 store, it waits for its turn. So only one of them runs at a time, and the same seed gives the same order.
"""

import os
import random
import selectors
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Ended", "in_turns"]

_ACCESS = frozenset({"open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"})
"""Audit events of accesses to files; `os.replace` is announced as `os.rename`."""

_LONGEST_STRETCHES = (1, 3, 10, 40, 200)
"""Mean numbers of accesses between two changes of turn; one is drawn for a pair of processes."""

CRASHED = 70
"""Exit code of a process that ended with an exception."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The end of a process."""

    code: int | None
    """Exit code; None: it did not end in time, and was killed."""
    output: str
    """What it printed, errors included."""
    turns: int
    """Number of its accesses."""


class _Gate:
    """The process's side: waits for its turn; threads of one process wait for each other."""

    def __init__(self, asks: int, answers: int, watched: str) -> None:
        self._asks, self._answers, self._watched = asks, answers, watched
        self._one_thread = threading.Lock()

    def wait(self) -> None:
        with self._one_thread:
            os.write(self._asks, b".")
            os.read(self._answers, 1)

    def install(self) -> None:
        """Wait before every access of this process from now on."""
        sys.addaudithook(self._on_event)
        with suppress(ImportError):
            self._before_requests()

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _ACCESS or not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(arguments[0])
        if path.startswith(self._watched) or not path.startswith("/"):  # a relative one is opened within a folder
            self.wait()

    def _before_requests(self) -> None:
        from aiobotocore.client import AioBaseClient

        make_call = AioBaseClient._make_api_call  # noqa: SLF001 - every request of the package passes here

        async def in_turn(client: AioBaseClient, operation: str, parameters: dict[str, Any]) -> object:
            self.wait()
            return await make_call(client, operation, parameters)

        AioBaseClient._make_api_call = in_turn  # noqa: SLF001


@dataclass
class _Process:
    """The scheduler's side of a process."""

    pid: int
    asks: int
    answers: int
    output: Path
    turns: int = 0
    waiting: bool = False
    code: int | None = None
    ended: bool = False
    watchers: list[int] = field(default_factory=list)

    def grant(self) -> None:
        self.waiting = False
        self.turns += 1
        os.write(self.answers, b".")

    def hear(self) -> None:
        """Take notice that it waits for its turn, or has ended."""
        if os.read(self.asks, 1):
            self.waiting = True
            return
        self.ended = True
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.ended = True

    def close(self) -> Ended:
        for descriptor in (self.asks, self.answers):
            os.close(descriptor)
        text = self.output.read_text(encoding="utf-8", errors="replace")
        self.output.unlink()
        return Ended(code=self.code, output=text, turns=self.turns)


def in_turns(
    works: Sequence[Callable[[], None]], watched: Path, draw: random.Random, *, patience_s: float = 120.0
) -> list[Ended]:
    """Run functions in processes that take turns, and return how each ended.

    Args:
        works: what the processes do; SystemExit is their exit code.
        watched: the folder whose files they access in turns.
        draw: decides whose turn it is.
        patience_s: longest time until both have ended.
    """
    until = time.monotonic() + patience_s
    longest = draw.choice(_LONGEST_STRETCHES)
    processes: list[_Process] = []
    for work in works:
        processes.append(_forked(work, str(watched), [p for process in processes for p in process.watchers]))
    current: _Process | None = None
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.asks, selectors.EVENT_READ, process)
        while left := [process for process in processes if not process.ended]:
            if running := [process for process in left if not process.waiting]:
                heard = selector.select(max(0.0, until - time.monotonic()))
                if not heard:
                    for process in running:
                        process.kill()
                        selector.unregister(process.asks)
                    continue
                for key, _ in heard:
                    key.data.hear()
                    if key.data.ended:
                        selector.unregister(key.fd)
                continue
            if current is None or current.ended or draw.random() < 1.0 / longest:
                current = draw.choice(left)
            current.grant()
    return [process.close() for process in processes]


def _forked(work: Callable[[], None], watched: str, others: Sequence[int]) -> _Process:
    asks_out, asks_in = os.pipe()
    answers_out, answers_in = os.pipe()
    descriptor, name = tempfile.mkstemp(prefix="output-")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        for other in (asks_out, answers_in, *others):
            os.close(other)
        _run(work, _Gate(asks_in, answers_out, watched), descriptor)
    for inherited in (asks_in, answers_out, descriptor):
        os.close(inherited)
    return _Process(pid, asks_out, answers_in, Path(name), watchers=[asks_out, answers_in])


def _run(work: Callable[[], None], gate: _Gate, output: int) -> None:
    """Do the work of a forked process, and end the process."""
    code = 0
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        gate.install()
        gate.wait()
        work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, the scheduler is told
        traceback.print_exc()
        code = CRASHED
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
