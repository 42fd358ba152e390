"""Does a run whose driver is killed many times end with the dataset of an undisturbed run?

    python -m benchmarks.curation.kills CLIPS [--kills 20] [--workers 2] [--seed 1] [--set NAME=VALUE]

The same command is started again at once each time, and its driver gets SIGKILL at a random moment: while it starts,
while videos are curated, or in the seconds in which the tables are packed. Videos are divided into windows of 8 s, so
that every attempt makes progress. The last attempt is not killed. Prints one JSON line: how many kills fell into which
phase, how long a worker of a killed run survived at most, how many processes of killed runs still exist two minutes
after the end, and which files differ from those of the undisturbed run, seconds spent and the event log aside.
"""

import argparse
import json
import random
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.curation.run_command import curate_command
from curation.engine.event_log import events_path
from manifests.files.tables import read_table
from manifests.schema.videos import TIMING_COLUMNS

_PATIENCE_S = 120.0
"""A process of a killed run that still runs after so long counts as left for good; Ray's agents take up to a minute to
notice that the rest of Ray is gone."""


def contents(dataset: Path) -> dict[str, object]:
    """Return the files of a dataset by name: their bytes, or their rows without seconds spent."""
    files: dict[str, object] = {}
    for path in sorted(path for path in dataset.rglob("*") if path.is_file() and path != events_path(dataset)):
        name = path.relative_to(dataset).as_posix()
        rows: list[dict[str, object]] | None = None
        if name.startswith("videos/"):
            rows = read_table(dataset, "videos").to_pylist()
        elif name.startswith("ledger/") and path.suffix == ".json":
            rows = [json.loads(path.read_text(encoding="utf-8"))]
        files[name] = path.read_bytes() if rows is None else [without_timings(row) for row in rows]
    return files


def without_timings(row: dict[str, object]) -> dict[str, object]:
    """Return a row without seconds spent."""
    return {name: value for name, value in row.items() if name not in TIMING_COLUMNS}


@dataclass(frozen=True)
class Process:
    """A process of this machine; the system reuses process numbers, so the start time is part of its identity."""

    pid: int
    start_time: str
    """In ticks of the system's clock."""

    def alive(self) -> bool:
        """Return whether it runs; a zombie does not."""
        status = status_of(self.pid)
        return bool(status) and status[0] not in "ZX" and status[19] == self.start_time

    def curates(self) -> bool:
        """Return whether it is a worker."""
        try:
            return Path("/proc", str(self.pid), "cmdline").read_bytes().startswith(b"ray::PoolWorker")
        except OSError:
            return False


def status_of(pid: int) -> list[str]:
    """Return the fields of a process in /proc, from its state on; none where it no longer exists."""
    try:
        text = Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def descendants(pid: int) -> set[Process]:
    """Return the child processes of a process, and theirs."""
    status = {int(path.name): status_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    family = {pid}
    while more := {child for child, fields in status.items() if fields and int(fields[1]) in family} - family:
        family |= more
    return {Process(child, status[child][19]) for child in family - {pid}}


@dataclass
class Attempt:
    """One start of the command."""

    process: "subprocess.Popen[bytes]"
    dataset: Path
    begin_s: float
    left: set[Process] = field(default_factory=set)
    """Its child processes at the time of the kill."""
    workers: set[Process] = field(default_factory=set)
    """Those of them that curate."""

    def n_done(self) -> int:
        """Return the number of videos with a record."""
        return len(list((self.dataset / "ledger").glob("[0-9a-f]*.json")))

    def n_events(self) -> int:
        """Return the number of lines of the event log."""
        log = events_path(self.dataset)
        return log.read_bytes().count(b"\n") if log.exists() else 0

    def kill(self) -> None:
        """Kill the driver."""
        self.left = descendants(self.process.pid)
        self.workers = {process for process in self.left if process.curates()}
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def begin(clips: Path, dataset: Path, arguments: argparse.Namespace) -> Attempt:
    """Start the command."""
    overrides = ["windows.length_s=8", *arguments.overrides]
    command = curate_command(clips, dataset, workers=arguments.workers, overrides=overrides)
    with (dataset.parent / "output.txt").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    return Attempt(process, dataset, time.monotonic())


@dataclass(frozen=True)
class Timing:
    """Times of the undisturbed run, and how often the other one is killed."""

    start_s: float
    """Until the first unit begins."""
    work_s: float
    n_videos: int
    kills: int


def wait_and_kill(attempt: Attempt, kill: int, timing: Timing, draw: random.Random) -> str:
    """Kill an attempt at a random moment and return the phase of the run in which that was."""
    first = attempt.n_events() + 2
    """Lines of the event log once the run and a unit have begun."""
    if kill % 5 == 0:  # while it starts
        time.sleep(draw.uniform(0.0, timing.start_s))
    else:
        while attempt.process.poll() is None and attempt.n_events() < first and attempt.n_done() < timing.n_videos:
            time.sleep(0.01)
        if kill >= timing.kills - 3:  # when all videos are done
            while attempt.process.poll() is None and attempt.n_done() < timing.n_videos:
                time.sleep(0.002)
            time.sleep(draw.uniform(0.0, 0.5))
        else:
            time.sleep(draw.uniform(0.0, 2.0 * timing.work_s / timing.kills))
    if attempt.process.poll() is not None:
        return "after the end"
    moment = "starting" if attempt.n_events() < first else "curating"
    if attempt.n_done() == timing.n_videos:
        moment = "packing"
    attempt.kill()
    return moment


def lingered_s(left: set[Process]) -> float:
    """Wait for processes to end and return how long that took."""
    begin_s = time.monotonic()
    while any(process.alive() for process in left) and time.monotonic() - begin_s < _PATIENCE_S:
        time.sleep(0.01)
    return time.monotonic() - begin_s


def main() -> None:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)  # noqa: S311 - repeatable
    with tempfile.TemporaryDirectory() as folder:
        reference, disturbed = Path(folder, "reference"), Path(folder, "disturbed")
        undisturbed = begin(arguments.clips, reference, arguments)
        while undisturbed.process.poll() is None and not undisturbed.n_events() < 2:
            time.sleep(0.05)
        start_s = time.monotonic() - undisturbed.begin_s
        exit_code = undisturbed.process.wait()
        wall_s = time.monotonic() - undisturbed.begin_s
        timing = Timing(start_s, wall_s - start_s, undisturbed.n_done(), arguments.kills)
        moments: list[str] = []
        lingered = [0.0]
        left: set[Process] = set()
        for kill in range(arguments.kills):
            attempt = begin(arguments.clips, disturbed, arguments)
            moments.append(wait_and_kill(attempt, kill, timing, draw))
            left |= attempt.left
            if kill % 2:  # after the other kills the next attempt starts while workers may still run
                lingered.append(lingered_s(attempt.workers))
        last = begin(arguments.clips, disturbed, arguments)
        last_exit_code = last.process.wait()
        lingered_s(left)
        expected, actual = contents(reference), contents(disturbed)
        report = {
            "videos": timing.n_videos,
            "undisturbed_s": round(wall_s, 1),
            "exit_codes": [exit_code, last_exit_code],
            "kills": {moment: moments.count(moment) for moment in dict.fromkeys(moments)},
            "longest_worker_s": round(max(lingered), 2),
            "left_for_good": sum(process.alive() for process in left),
            "files": len(expected),
            "differing": sorted(
                name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name)
            ),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
