"""Walk of the points at which a command can fail: every function of ours that it calls raises in a run of its own.

A process that has imported everything and forks a child for each point, so that a point takes as long as the command
itself. `python -m helpers.raise_points WALK`, with a `Walk` as JSON, prints a line of JSON for each: see `walked`.
"""

import contextlib
import errno
import gc
import importlib
import inspect
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from types import CodeType, FrameType

PACKAGES = ("foundation", "manifests", "curation", "models", "training", "generation")

ROOT = Path(__file__).resolve().parents[2]

PATIENCE_S = 120.0
"""After this a child counts as hanging; far above what is promised, for busy machines."""


PROMISED_S = 10.0
"""Longest time from an error or a signal to the end of a command."""

ROOM_S = 30.0
"""The same on a machine that is busy with other tests."""


REMOVALS = ("StagedFiles.__exit__", "_Stage.discard", "_LocalFile.discard")
"""Functions that remove what is half written: where they fail, it stays."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A command, and at which of its functions it is to fail."""

    program: str
    """Module and name of its main function."""
    kind: str = "OSError"
    """Error of `error_of`, or a signal."""
    every: int = 1
    """From one point to the next, counted in functions."""
    arguments: tuple[str, ...]
    """FRESH in these stands for a folder that is new each time: the current folder, with TMPDIR in it."""
    copies: tuple[str, ...] = ()
    """Files and folders that are copied into FRESH first."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment of the command; FRESH as in the arguments."""
    again: bool = False
    """Whether the command is given again after each failure."""
    folder: str = ""
    """Where the runs happen."""


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
    files: tuple[str, ...] = ()
    """New files in FRESH that the undisturbed command does not leave."""
    wrote: tuple[str, ...] = ()
    """Files in FRESH that are new."""
    again: int | None = None
    """Exit code of the same command after that."""
    said_again: str = ""
    stay: tuple[str, ...] = ()
    """Those of `files` that are there even then."""

    def last_line(self) -> str:
        """What it said in the end."""
        return self.said.splitlines()[-1] if self.said.strip() else ""


class Walker:
    """A process that walks one command after the other, and imports what they need once."""

    def __init__(self) -> None:
        paths = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
        quiet = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.raise_points"],
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def walked(self, walk: Walk) -> list[Ending]:
        """The endings of a command."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(f"{json.dumps(asdict(walk))}\n")
        asked.flush()
        endings = []
        while (line := told.readline().strip()) != "":
            fields = json.loads(line)
            fields = {name: tuple(one) if isinstance(one, list) else one for name, one in fields.items()}
            endings.append(Ending(**fields))
        assert self._process.poll() is None
        return endings

    def end(self) -> None:
        self._process.communicate()


def wrong(
    endings: Sequence[Ending], program: str, *, codes: Sequence[int] = (0, 2, 3), again: Sequence[int] | None = None
) -> list[str]:
    """Return the endings that take too long, leave something, do not say why in a sentence, or cannot be gone on from.

    Args:
        endings: of a program.
        program: its name.
        codes: exit codes that it may end with; 0: what failed is something that it can do without.
        again: exit codes of the same command afterwards; None: it was not given again.
    """
    return [
        f"{one.point}: {', '.join(faults)}: {one}"
        for one in endings
        if (faults := list(_faults(one, f"{program}: ", codes, again)))
    ]


def _faults(one: Ending, begin: str, codes: Sequence[int], again: Sequence[int] | None) -> Iterator[str]:
    if one.took_s > ROOM_S:
        yield "too long"
    if one.left:
        yield "processes"
    if (one.stay or (again is None and one.files)) and not one.point.endswith(REMOVALS):
        yield "files"
    if one.code not in codes:
        yield "code"
    if "Traceback" in one.said or (one.code != 0 and not one.last_line().startswith(begin)):
        yield "no sentence"
    if again is not None and (one.again not in again or "Traceback" in one.said_again):
        yield "cannot be gone on from"


def error_of(kind: str) -> BaseException:
    """The error that points raise."""
    return {
        "OSError": OSError(errno.EIO, "Input/output error", "/made/up"),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "ZeroDivisionError": ZeroDivisionError("a fault of the program"),
    }[kind]


def name_of(code: CodeType) -> str | None:
    """Module and function of code of ours; None for other code, and for the bodies of modules and classes.

    Asked at every call of a command, so that the names of ours are kept, and other code is told by its file alone.
    """
    if not code.co_filename.startswith(_OURS):
        return None
    known = _NAMES.get(id(code))
    if known is None:
        known = _NAMES[id(code)] = code, _name_of_ours(code)
    return known[1]


_OURS = tuple(f"{ROOT / package}{os.sep}" for package in PACKAGES)

_NAMES: dict[int, tuple[CodeType, str | None]] = {}
"""By number of the code, which stays that of the code for as long as it is kept here: to hash code takes its length."""


def _name_of_ours(code: CodeType) -> str | None:
    if not code.co_flags & inspect.CO_NEWLOCALS or code.co_name == "<genexpr>" or "Error" in code.co_qualname:
        return None
    path = Path(code.co_filename).relative_to(ROOT)
    if path.stem in ("program_end", "command_line", "app"):  # what turns errors into endings cannot fail itself
        return None
    return f"{'.'.join(path.with_suffix('').parts)}:{code.co_qualname}"


class Place:
    """The folder FRESH of a run: made anew, with what the command is given."""

    def __init__(self, walk: Walk) -> None:
        self.path = Path(tempfile.mkdtemp(dir=walk.folder))
        for name in walk.copies:
            source = Path(name)
            if source.is_dir():
                shutil.copytree(source, self.path / source.name, symlinks=True)
            else:
                shutil.copy2(source, self.path / source.name)
        (self.path / "tmp").mkdir()
        self.before = self.names()
        self._walk = walk

    def names(self) -> set[str]:
        """The files that there are."""
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if not path.is_dir()}

    def command(
        self,
        said: Path,
        on_call: Callable[[str], None] | None = None,
        at_end: Callable[[], object] = lambda: None,
    ) -> int:
        """Begin the command in a child, with `on_call` told of all points; return the child's number."""
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC), 2)
        os.chdir(self.path)
        tempfile.tempdir = os.environ["TMPDIR"] = str(self.path / "tmp")
        for name, value in self._walk.variables.items():
            os.environ[name] = value.replace("FRESH", str(self.path))
        module, _, name = self._walk.program.partition(":")
        main = getattr(importlib.import_module(module), name)
        sys.argv = [self._walk.program, *(word.replace("FRESH", str(self.path)) for word in self._walk.arguments)]

        def trace(frame: FrameType, event: str, _argument: object) -> None:
            nonlocal begun
            begun = begun or frame.f_code.co_name == "run_program"  # a helper may do something before
            if begun and on_call is not None and event == "call" and (name := name_of(frame.f_code)) is not None:
                on_call(name)

        begun = False
        if on_call is not None:
            sys.settrace(trace)
        try:
            main()
        finally:
            sys.settrace(None)
            at_end()
        os._exit(99)  # a program ends with SystemExit


@dataclass(frozen=True)
class Undisturbed:
    """What a command does where nothing fails."""

    points: list[str]
    """Names of the functions that it calls in its main thread, in the order of the first call."""
    leaves: set[str]
    """Files that it leaves in FRESH."""


def undisturbed(walk: Walk) -> Undisturbed:
    """Run the command twice: for what it imports, so that nothing has to later, and for what it calls."""
    folder = Path(walk.folder)
    place = Place(walk)
    _waited(place.command(folder / "said", at_end=lambda: (folder / "modules").write_text("\n".join(sys.modules))))
    leaves = place.names()
    shutil.rmtree(place.path)
    for module in (folder / "modules").read_text().splitlines():
        if module != "__mp_main__":
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    gc.freeze()  # so that the end of a child touches little of the memory that it shares
    seen: dict[str, None] = {}

    def note(name: str) -> None:
        seen.setdefault(name)

    place = Place(walk)
    _waited(place.command(folder / "said", note, lambda: (folder / "points").write_text("\n".join(seen))))
    shutil.rmtree(place.path)
    return Undisturbed((folder / "points").read_text().splitlines(), leaves)


def failing_at(point: str, walk: Walk, leaves: set[str]) -> Ending | None:
    """Run a command in a child in which `point` raises at its first call; None if it is only called on importing."""
    folder, place = Path(walk.folder), Place(walk)
    said, struck = folder / "said", folder / "raised"
    struck.unlink(missing_ok=True)

    def strike(name: str) -> None:
        if name == point:
            sys.settrace(None)
            struck.write_text(str(time.monotonic()))
            if walk.kind.startswith("SIG"):
                os.kill(os.getpid(), signal.Signals[walk.kind])
            else:
                raise error_of(walk.kind)

    pid = place.command(said, strike)
    code = _waited(pid)
    ended = time.monotonic()
    time.sleep(0.05)
    if not struck.exists():
        shutil.rmtree(place.path)
        return None
    told, there = said.read_text(errors="replace"), place.names()
    left = (*_of_session(pid), *_children_of_server())
    again = _waited(place.command(said)) if walk.again else None
    ending = Ending(
        point,
        code,
        round(ended - float(struck.read_text()), 2),
        told,
        left,
        tuple(sorted(there - place.before - leaves)),
        tuple(sorted(there - place.before)),
        again,
        said.read_text(errors="replace") if walk.again else "",
        tuple(sorted((place.names() & there) - place.before - leaves)) if walk.again else (),
    )
    shutil.rmtree(place.path)
    return ending


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


def main() -> None:
    for line in sys.stdin:
        walk = Walk(**json.loads(line))
        module = importlib.import_module(walk.program.partition(":")[0])
        if "toy" in walk.program:  # it has loader processes: a server for all children, which has what they need
            multiprocessing.set_forkserver_preload([module.__name__])
            forkserver.ensure_running()
            setattr(getattr(forkserver, "_forkserver"), "ensure_running", lambda: None)  # noqa: B009, B010 - in children
        whole = undisturbed(walk)
        for point in whole.points[:: walk.every]:
            ending = failing_at(point, walk, whole.leaves)
            if ending is not None:
                sys.stdout.write(json.dumps(asdict(ending)) + "\n")
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
