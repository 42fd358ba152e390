"""How often do one video's unit of work and the dataset's path cross from file to file in a run of the sample?

    python -m benchmarks.curation.crossings [--tree CHECKOUT] [--unit CLASS] [--folder CLASS] [--verbose]

Runs `gaia-curate run` on the sample video in this process, with the preset `embedded` and the inline executor, into a
new folder, and inspects every call of a function of the project. A crossing is a call from one file of the project into
another with an argument (`self` included) that carries the traced thing:

- `unit`: an object of the class `Unit` or of one that derives from it, or the `SourceVideo` of a unit;
- `dataset`: the path of the dataset's folder or a path in it, or an object whose purpose is to hold that folder: a
  `DatasetFolder` or a `Dataset`, so that each call of its methods from another file counts as well.

The caller is the nearest function of the project on the stack, across calls of libraries. A generator counts
once, when its body begins. Arguments that hold the thing inside an object of another class do not count, nor do
variables of a closure, nor a call that begins a thread. Calls of properties count like any other.

Prints one JSON line. For each thing, `call_sites` is the number of different pairs of a calling and a called function,
`file_pairs` that of their files, `files` that of the files entered, and `calls` that of the crossings themselves, which
grows with the number of clips. `with_lists` has the same numbers if an argument also carries the items of a list, a
tuple, a set or a dictionary. `record` has how often the run opened dataset.json for reading, and how often it wrote the
file or replaced it. --verbose prints all call sites and their crossings to standard error.
"""

import argparse
import contextlib
import inspect
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from types import FrameType

from benchmarks.checkout import ROOT
from benchmarks.curation.call_tracing import CallSite, Place, Thing, Tracer, read_tree

RECORD = "dataset.json"

UNIT_CLASSES = ("Unit", "SourceVideo")

FOLDER_CLASSES = ("DatasetFolder", "Dataset")


class ClassTest:
    """Recognises objects of some classes of the project and of their subclasses."""

    def __init__(self, names: Iterable[str], packages: Iterable[str]) -> None:
        self._names, self._packages = frozenset(names), frozenset(packages)
        self._known: dict[type, bool] = {}

    def __call__(self, value: object) -> bool:
        """Return whether a value is such an object."""
        kind = type(value)
        if kind not in self._known:
            self._known[kind] = any(
                one.__name__ in self._names and one.__module__.partition(".")[0] in self._packages
                for one in kind.__mro__
            )
        return self._known[kind]


class FolderTest:
    """Recognises paths of a folder, and objects that hold it."""

    def __init__(self, folder: Path, holder: ClassTest) -> None:
        self._folder, self._inside, self._holder = str(folder), f"{folder}{os.sep}", holder

    def __call__(self, value: object) -> bool:
        """Return whether a value is the folder, a path in it, or an object that holds it."""
        if isinstance(value, PurePath):
            path = str(value)
            return path == self._folder or path.startswith(self._inside)
        return self._holder(value)


class RecordUse:
    """Counts how often a file is read and written, and by which functions, with Python's audit hooks."""

    def __init__(self, path: Path, path_to: Callable[[FrameType | None], tuple[Place, ...]]) -> None:
        self._path, self._path_to = str(path), path_to
        self.reads: Counter[tuple[Place, ...]] = Counter()
        self.writes: Counter[tuple[Place, ...]] = Counter()

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Count an event: an `open`, or the rename that replaces the file."""
        if event == "open" and self._is_record(arguments[0]):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            counted = self.writes if flags & (os.O_WRONLY | os.O_RDWR) else self.reads
        elif event == "os.rename" and self._is_record(arguments[1]):  # os.replace raises the same event
            counted = self.writes
        else:
            return
        counted[self._path_to(inspect.currentframe())] += 1

    def _is_record(self, path: object) -> bool:
        return isinstance(path, str | bytes | PurePath) and os.fsdecode(path) == self._path


def curate(main: Callable[[], None], source: Path, dataset: Path, overrides: Sequence[str]) -> None:
    """Run the command in this process; its report goes to standard error.

    Raises:
        SystemExit: it failed.
    """
    sys.argv = ["gaia-curate", "run", "--source", str(source), "--out", str(dataset), "--preset", "embedded"]
    sys.argv += ["--executor", "inline", *(f"--set={override}" for override in overrides)]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            main()
    except SystemExit as end:
        if end.code:
            raise


def numbers(sites: Counter[CallSite]) -> dict[str, int]:
    """Return the numbers of one thing in the JSON line."""
    return {
        "call_sites": len(sites),
        "file_pairs": len({(site.caller.file, site.callee.file) for site in sites}),
        "files": len({site.callee.file for site in sites}),
        "calls": sites.total(),
    }


def table(title: str, sites: Counter[CallSite]) -> str:
    """Return a line per call site of a thing, ordered by the calling file."""
    lines = [f"{title}: {len(sites)} call sites, {sites.total()} calls"]
    for (caller, callee), calls in sorted(sites.items()):
        lines.append(f"  {calls:6d}  {caller.file} {caller.function} -> {callee.file} {callee.function}")
    return "\n".join(lines)


def users(title: str, paths: Counter[tuple[Place, ...]]) -> str:
    """Return a line per chain of functions that opened the dataset's record, with how often they did."""
    lines = [f"{title}: {paths.total()}"]
    lines += [f"  {times:6d}  {' -> '.join(map(' '.join, path))}" for path, times in paths.items()]
    return "\n".join(lines)


def main() -> None:
    """Run the sample, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT, help="checkout to trace, by default this one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    parser.add_argument("--unit", action="append", metavar="CLASS", help=f"by default {' and '.join(UNIT_CLASSES)}")
    parser.add_argument("--folder", action="append", metavar="CLASS", help=f"by default {' and '.join(FOLDER_CLASSES)}")
    parser.add_argument("--verbose", action="store_true", help="print all call sites to standard error")
    arguments = parser.parse_args()
    tree = read_tree(arguments.tree)
    command = tree.main()
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder).resolve() / "dataset"
        holder = ClassTest(arguments.folder or FOLDER_CLASSES, tree.packages)
        things = {
            "unit": Thing(ClassTest(arguments.unit or UNIT_CLASSES, tree.packages)),
            "dataset": Thing(FolderTest(dataset, holder)),
        }
        tracer = Tracer(tree, things.values())
        record = RecordUse(dataset / RECORD, tracer.path_to)
        sys.addaudithook(record.audit)
        with tracer.tracing():
            curate(command, tree.root / "samples", dataset, arguments.overrides)
    for name, thing in things.items():
        if not thing.sites:
            raise SystemExit(f"no argument of any call was a {name}: name the classes with --unit and --folder")
    if arguments.verbose:
        for name, thing in things.items():
            print(table(name, thing.sites), file=sys.stderr)
            print(table(f"{name}, only in lists", thing.sites_with_lists - thing.sites), file=sys.stderr)
        print(users(f"{RECORD} read", record.reads), file=sys.stderr)
        print(users(f"{RECORD} written", record.writes), file=sys.stderr)
    report = {
        **{name: numbers(thing.sites) for name, thing in things.items()},
        "with_lists": {name: numbers(thing.sites_with_lists) for name, thing in things.items()},
        "record": {"reads": record.reads.total(), "writes": record.writes.total()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
