"""Tracing of the calls between the files of a checkout's packages, and of the things that their arguments carry."""

import contextlib
import importlib
import inspect
import sys
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

_CHAIN_LENGTH = 4
"""Functions of a call chain that are named."""

_GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Place(NamedTuple):
    """A function of the project."""

    file: str
    """Relative to the checkout."""
    function: str


class CallSite(NamedTuple):
    """A function that calls another one, in another file."""

    caller: Place
    callee: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """The checkout whose packages are traced."""

    root: Path
    """An absolute path."""
    packages: tuple[str, ...]
    """Packages whose imports are checked."""
    entry: str
    """`module:function` of the command `gaia-curate`."""

    def file_of(self, code: CodeType) -> str | None:
        """Return the file of a function of the project, relative to the checkout; None for other functions."""
        path = Path(code.co_filename)
        if not path.is_relative_to(self.root):
            return None
        relative = path.relative_to(self.root)
        return relative.as_posix() if relative.parts[0] in self.packages else None

    def main(self) -> Callable[[], None]:
        """Import the command.

        Raises:
            SystemExit: Python finds the package elsewhere.
        """
        sys.path.insert(0, str(self.root))
        name, _, function = self.entry.partition(":")
        module = importlib.import_module(name)
        if not Path(str(module.__file__)).is_relative_to(self.root):
            raise SystemExit(f"{name} was imported from {module.__file__}, which is not in {self.root}")
        main: Callable[[], None] = getattr(module, function)
        return main


@dataclass(frozen=True, slots=True)
class Thing:
    """A traced thing, and the call sites that it crossed."""

    carried_by: Callable[[object], bool]
    sites: Counter[CallSite] = field(default_factory=Counter)
    """Crossings of arguments that are the thing."""
    sites_with_lists: Counter[CallSite] = field(default_factory=Counter)
    """Crossings of arguments that are the thing, or a list, tuple, set or dictionary of such things."""


class Tracer:
    """Records the crossings of things during calls of the project."""

    def __init__(self, tree: Tree, things: Iterable[Thing]) -> None:
        self._tree, self._things = tree, tuple(things)
        self._files: dict[str, str | None] = {}
        """By file name of the code object, because code objects of different files may be equal."""

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        """Trace every call inside the block, and in threads that begin there."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def place_of(self, frame: FrameType | None) -> Place | None:
        """Return the nearest function of the project on the stack from a frame on; None where there is none."""
        while frame is not None:
            if file := self._file(frame.f_code):
                return Place(file, frame.f_code.co_qualname)
            frame = frame.f_back
        return None

    def path_to(self, frame: FrameType | None) -> tuple[Place, ...]:
        """Return the last functions of the project that led to a frame, one per file, four at most."""
        path: list[Place] = []
        while frame is not None and len(path) < _CHAIN_LENGTH:
            file = self._file(frame.f_code)
            if file and (not path or path[-1].file != file):
                path.append(Place(file, frame.f_code.co_qualname))
            frame = frame.f_back
        return tuple(reversed(path))

    def _file(self, code: CodeType) -> str | None:
        if code.co_filename not in self._files:
            self._files[code.co_filename] = self._tree.file_of(code)
        return self._files[code.co_filename]

    def _profile(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (file := self._file(frame.f_code)) is None:
            return
        caller = self.place_of(frame.f_back)
        if caller is None or caller.file == file or _is_resumed(frame):
            return
        site = CallSite(caller, Place(file, frame.f_code.co_qualname))
        arguments = _arguments(frame)
        for thing in self._things:
            if any(map(thing.carried_by, arguments)):
                thing.sites[site] += 1
                thing.sites_with_lists[site] += 1
            elif any(thing.carried_by(item) for argument in arguments for item in _items(argument)):
                thing.sites_with_lists[site] += 1


def _is_resumed(frame: FrameType) -> bool:
    """Return whether a generator resumes: Python reports each of its steps as a call."""
    if not frame.f_code.co_flags & _GENERATOR:
        return False
    # The two low bits of RESUME's argument are 0 at the beginning of a body and not after a `yield`.
    return bool(frame.f_code.co_code[frame.f_lasti + 1] & 0b11)


def _arguments(frame: FrameType) -> list[object]:
    """Return the arguments of a call that has just begun, those of `*` and `**` one by one."""
    code = frame.f_code
    n_named = code.co_argcount + code.co_kwonlyargcount
    values = frame.f_locals
    names = list(code.co_varnames[:n_named])
    arguments = [values[name] for name in names if name in values]
    stars = iter(code.co_varnames[n_named:])
    if code.co_flags & inspect.CO_VARARGS:
        arguments += values[next(stars)]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        arguments += values[next(stars)].values()
    return arguments


def _items(value: object) -> Iterable[object]:
    """Return the items of a list, tuple or set, or the values of a dictionary; none of any other value."""
    if isinstance(value, list | tuple | set | frozenset):
        return value
    return value.values() if isinstance(value, dict) else ()


def read_tree(root: Path) -> Tree:
    """Read the packages and the command of a checkout from its pyproject.toml.

    Raises:
        OSError: there is no such file.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return Tree(
        root=root.resolve(),
        packages=tuple(project["tool"]["importlinter"]["root_packages"]),
        entry=project["project"]["scripts"]["gaia-curate"],
    )
