"""One command in a process of its own, forked from one that has loaded everything: what it said, took and opened."""

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LIMIT_BYTES", "LIMIT_S", "Ended", "freeze", "run_apart"]

LIMIT_S = 60.0
"""Most that a command may take, seconds."""

LIMIT_BYTES = 2 * 2**30
"""Most memory that it may take."""

_IDLE_S = 5.0
"""A process that slept and did nothing for so long waits for what does not come, and is ended."""

_PATIENCE_S = 10.0
"""Time that the processes of a command have to end after it."""

_DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of the kernel's prctl."""

_TOLD = 4_000_000
"""Most of the output that is kept, bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code; -N: ended by signal N."""
    said: str
    """Standard output and standard error."""
    errors: str
    """Standard error."""
    seconds: float
    peak_bytes: int
    cut_off: str
    """Why it was ended: `waits`, `time`, `memory`; empty where it ended by itself."""
    sockets: tuple[str, ...]
    """Sockets of the internet that it opened."""
    orphans: int
    """Processes of it that were still there after its end."""


def run_apart(work: Callable[[], int], *, limit_s: float = LIMIT_S, limited: bool = True) -> Ended:
    """Run a function in a forked process and return how that ended.

    Args:
        work: returns an exit code, or raises.
        limit_s: time after which it is ended.
        limited: whether it is ended because of time, waiting or memory.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as opened:
        sys.stdout.flush()
        sys.stderr.flush()
        begin = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _child(work, out.fileno(), err.fileno(), opened.fileno())
        cut_off, sockets, status, peak = _wait(pid, begin, limit_s if limited else None)
        seconds = time.monotonic() - begin
        orphans = _end_group(pid)
        errors = _text(err.fileno())
        told = tuple(_text(opened.fileno()).splitlines())
        return Ended(
            code=os.waitstatus_to_exitcode(status),
            said=_text(out.fileno()) + errors,
            errors=errors,
            seconds=seconds,
            peak_bytes=peak,
            cut_off=cut_off,
            sockets=(*told, *sorted(sockets)),
            orphans=orphans,
        )


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts, left = [], _TOLD
    while left > 0 and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts).decode(errors="replace")


def _child(work: Callable[[], int], out: int, err: int, opened: int) -> None:
    """Do the work and end the process; never returns."""
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is all that is wanted
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = (open(one, "w", closefd=False, errors="backslashreplace") for one in (1, 2))  # noqa: SIM115
        sys.addaudithook(_socket_hook(opened))
        try:
            code = work()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:  # noqa: BLE001 - what Python does with an exception that nobody catches
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - waits for threads, as at the end of Python
    finally:
        os._exit(code)


def _socket_hook(opened: int) -> Callable[[str, tuple[object, ...]], None]:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.bind", "socket.sendto"):
            one, address = arguments[:2]
            if isinstance(one, socket.socket) and one.family in (socket.AF_INET, socket.AF_INET6):
                os.write(opened, f"{event} {address}\n".encode())
        elif event == "socket.getaddrinfo":
            os.write(opened, f"{event} {arguments[0]!r}\n".encode())

    return hook


def _wait(pid: int, begin: float, limit_s: float | None) -> tuple[str, set[str], int, int]:
    """Wait for a process; return why it was ended, the sockets seen, its status and its peak memory in bytes."""
    cut_off, sockets, pause_s = "", set[str](), 0.002
    idle_since, last_ticks = begin, -1
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return cut_off, sockets, status, usage.ru_maxrss * 1024
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.3, 0.05)
        if limit_s is None:
            continue
        now = time.monotonic()
        sockets |= _internet_sockets(pid)
        state, ticks = _activity(pid)
        if state != "S" or ticks != last_ticks:
            idle_since, last_ticks = now, ticks
        if _resident(pid) > LIMIT_BYTES * 3 // 2:
            cut_off = cut_off or "memory"
        elif now - begin > limit_s:
            cut_off = cut_off or "time"
        elif now - idle_since > _IDLE_S:
            cut_off = cut_off or "waits"
        if cut_off:
            os.kill(pid, signal.SIGKILL)


def _activity(pid: int) -> tuple[str, int]:
    """Return the state of a process, and the time on a processor that it and its children have had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "", -1
    return fields[0], sum(int(field) for field in fields[11:15])


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _internet_sockets(pid: int) -> set[str]:
    """Return the sockets of the internet that a process has open now."""
    held = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            target = os.readlink(entry.path)  # noqa: PTH115 - often, and for many
            if target.startswith("socket:["):
                held.add(target[8:-1])
    except OSError:
        return set()
    if not held:
        return set()
    found = set()
    for kind in ("tcp", "udp", "tcp6", "udp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        found |= {f"{kind} socket" for line in lines if line.split()[9] in held}
    return found


def _end_group(group: int) -> int:
    """End what a process left behind and did not end by itself in a while; return how many processes that were."""
    patience_s = time.monotonic() + _PATIENCE_S
    while (left := _session(group)) and time.monotonic() < patience_s:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return len(left)


def _session(leader: int) -> list[int]:
    """Return the processes of the session that a process began."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def freeze() -> None:
    """Keep what is loaded out of the way of the collector of garbage, in this process and in those forked from it."""
    gc.collect()
    gc.freeze()
