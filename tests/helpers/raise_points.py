"""Walk of the points at which a command can fail: every function of ours that it calls raises in a run of its own.

A process that has imported everything and forks a child for each point, so that a point takes as long as the command
itself. `python -m helpers.raise_points FOLDER PROGRAM ERROR EVERY ARGUMENTS...` prints a line of JSON for each.
"""

import contextlib
import errno
import gc
import importlib
import inspect
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing import forkserver
from pathlib import Path
from types import CodeType, FrameType

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")

ROOT = Path(__file__).resolve().parents[2]

PATIENCE_S = 60.0
"""After this a child counts as hanging; far above what is promised, for busy machines."""


@dataclass(frozen=True)
class Ending:
    """The end of a command that failed at a point."""

    point: str
    """Module and function that raised."""
    code: int
    """Exit code; negative: the signal that ended it, or -SIGKILL where it hung."""
    took_s: float
    """From the error to the end of the process."""
    said: str
    left: tuple[int, ...]
    """Processes that are left over."""


def error_of(kind: str) -> BaseException:
    """The error that points raise."""
    return {
        "OSError": OSError(errno.EIO, "Input/output error", "/made/up"),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "ZeroDivisionError": ZeroDivisionError("a fault of the program"),
    }[kind]


def name_of(code: CodeType) -> str | None:
    """Module and function of code of ours; None for other code, and for the bodies of modules and classes."""
    if not code.co_flags & inspect.CO_NEWLOCALS:
        return None
    try:
        path = Path(code.co_filename).relative_to(ROOT)
    except ValueError:
        return None
    if path.parts[0] not in PACKAGES or code.co_name == "<genexpr>" or "Error" in code.co_qualname:
        return None
    if path.stem in ("program_end", "command_line", "app"):  # what turns errors into endings cannot fail itself
        return None
    return f"{'.'.join(path.with_suffix('').parts)}:{code.co_qualname}"


def points_of(command: Callable[[], object], folder: Path) -> list[str]:
    """Names of the functions that a command calls in its main thread, in the order of the first call."""
    seen: dict[str, None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and (name := name_of(frame.f_code)) is not None:
            seen.setdefault(name)

    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_TRUNC), 2)
        sys.settrace(note)
        try:
            command()
        finally:
            sys.settrace(None)
            (folder / "points").write_text("\n".join(seen))
            (folder / "modules").write_text("\n".join(sys.modules))
    assert pid
    os.waitpid(pid, 0)
    for module in (folder / "modules").read_text().splitlines():  # so that no child has to import anything
        if module != "__mp_main__":
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    gc.freeze()  # so that the end of a child touches little of the memory that it shares
    return (folder / "points").read_text().splitlines()


def failing_at(point: str, kind: str, command: Callable[[], object], folder: Path) -> Ending | None:
    """Run a command in a child in which `point` raises at its first call; None if it is only called on importing."""
    (folder / "raised").unlink(missing_ok=True)

    def strike(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and name_of(frame.f_code) == point:
            sys.settrace(None)
            (folder / "raised").write_text(str(time.monotonic()))
            raise error_of(kind)

    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_TRUNC), 2)
        sys.settrace(strike)
        command()
        os._exit(99)  # a program ends with SystemExit
    code = _waited(pid)
    ended = time.monotonic()
    time.sleep(0.05)
    if not (folder / "raised").exists():
        return None
    raised = float((folder / "raised").read_text())
    left = (*_of_session(pid), *_children_of_server())
    return Ending(point, code, round(ended - raised, 2), (folder / "said").read_text(errors="replace"), left)


def _waited(pid: int) -> int:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _of_session(session: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                yield int(entry.name)


def _children_of_server() -> Iterator[int]:
    """Loader processes of the server that the children of this process share."""
    server = getattr(forkserver, "_forkserver")._forkserver_pid  # noqa: B009
    if server is not None:
        for word in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            if Path(f"/proc/{word}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                yield int(word)


def command_of(program: str, arguments: list[str], folder: Path) -> Callable[[], object]:
    """The main function of a program, on arguments in which FRESH stands for a folder that is new each time."""
    module, _, name = program.partition(":")
    main = getattr(importlib.import_module(module), name)

    def run() -> None:
        fresh = tempfile.mkdtemp(dir=folder)
        sys.argv = [program, *(word.replace("FRESH", fresh) for word in arguments)]
        main()

    return run


def main() -> None:
    folder, program, kind, every, *arguments = sys.argv[1:]
    module = program.partition(":")[0]
    command = command_of(program, arguments, Path(folder))
    if "toy" in module:  # it has loader processes: a server for all children, which has imported what they need
        multiprocessing.set_forkserver_preload([module])
        forkserver.ensure_running()
        setattr(getattr(forkserver, "_forkserver"), "ensure_running", lambda: None)  # noqa: B009, B010 - for a child, too
    for point in points_of(command, Path(folder))[:: int(every)]:
        ending = failing_at(point, kind, command, Path(folder))
        if ending is not None:
            sys.stdout.write(json.dumps(asdict(ending)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
