"""Kill the driver of a run again and again, go on each time, and compare what comes out with an undisturbed run.

    python -m benchmarks.curation.kills CLIPS [--kills 20] [--workers 2] [--seed 1] [--set NAME=VALUE]

Each time the same command is given again, at once, and its driver gets SIGKILL at a random moment: while it starts,
while videos are curated, or in the seconds in which the tables are packed. Videos are divided into windows of 8 s, so
that every attempt gets somewhere. The last attempt is left alone. Prints one JSON line: how the moments fell, how
long a worker of a killed run lived on at most, how many processes of killed runs are still there two minutes after the
end, and which files differ from those of the undisturbed run, seconds spent and the event log aside.
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
"""After so long a process of a killed run counts as left for good; Ray's agents take up to a minute to see that the
rest of Ray is gone."""


def contents(dataset: Path) -> dict[str, object]:
    """Return every file of a dataset by name: its bytes, or where seconds spent stand in it, all else."""
    found: dict[str, object] = {}
    for path in sorted(path for path in dataset.rglob("*") if path.is_file() and path != events_path(dataset)):
        name = path.relative_to(dataset).as_posix()
        rows: list[dict[str, object]] | None = None
        if name.startswith("videos/"):
            rows = read_table(dataset, "videos").to_pylist()
        elif name.startswith("ledger/") and path.suffix == ".json":
            rows = [json.loads(path.read_text(encoding="utf-8"))]
        found[name] = path.read_bytes() if rows is None else [without_timings(row) for row in rows]
    return found


def without_timings(row: dict[str, object]) -> dict[str, object]:
    """Return a row without seconds spent."""
    return {name: value for name, value in row.items() if name not in TIMING_COLUMNS}


@dataclass(frozen=True)
class Process:
    """A process of this machine, which gives its numbers to others again."""

    pid: int
    begun: str
    """When, in ticks of the system's clock."""

    def alive(self) -> bool:
        """Say whether it runs; one that nobody has waited for does not."""
        status = status_of(self.pid)
        return bool(status) and status[0] not in "ZX" and status[19] == self.begun

    def curates(self) -> bool:
        """Say whether it is a worker."""
        try:
            return Path("/proc", str(self.pid), "cmdline").read_bytes().startswith(b"ray::PoolWorker")
        except OSError:
            return False


def status_of(pid: int) -> list[str]:
    """Return what /proc tells of a process, from its state on; nothing where it is gone."""
    try:
        told = Path("/proc", str(pid), "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return told.rpartition(")")[2].split()


def descendants(pid: int) -> set[Process]:
    """Return the processes that one has begun, and those that they have."""
    status = {int(path.name): status_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    found = {pid}
    while more := {child for child, told in status.items() if told and int(told[1]) in found} - found:
        found |= more
    return {Process(child, status[child][19]) for child in found - {pid}}


@dataclass
class Attempt:
    """One start of the command."""

    process: "subprocess.Popen[bytes]"
    dataset: Path
    begun: float
    left: set[Process] = field(default_factory=set)
    """What it has begun, once it was killed."""
    workers: set[Process] = field(default_factory=set)
    """Of these, those that curate."""

    def n_done(self) -> int:
        """Return how many videos have a record."""
        return len(list((self.dataset / "ledger").glob("[0-9a-f]*.json")))

    def n_events(self) -> int:
        """Return how many lines the event log has."""
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
    """What is known of the undisturbed run, and how often the other one is killed."""

    start_s: float
    """Until the first unit is begun."""
    work_s: float
    n_videos: int
    kills: int


def wait_and_kill(attempt: Attempt, kill: int, timing: Timing, draw: random.Random) -> str:
    """Kill an attempt at a random moment, and say in which part of the run that was."""
    first = attempt.n_events() + 2
    """As many lines the event log has when the run has begun, and a unit."""
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
    """Wait for processes to end, and return how long that took."""
    begun = time.monotonic()
    while any(process.alive() for process in left) and time.monotonic() - begun < _PATIENCE_S:
        time.sleep(0.01)
    return time.monotonic() - begun


def main() -> None:
    """Kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)  # noqa: S311 - it is to be the same again
    with tempfile.TemporaryDirectory() as folder:
        whole, disturbed = Path(folder, "whole"), Path(folder, "disturbed")
        undisturbed = begin(arguments.clips, whole, arguments)
        while undisturbed.process.poll() is None and not undisturbed.n_events() < 2:
            time.sleep(0.05)
        start_s = time.monotonic() - undisturbed.begun
        exit_code = undisturbed.process.wait()
        wall_s = time.monotonic() - undisturbed.begun
        timing = Timing(start_s, wall_s - start_s, undisturbed.n_done(), arguments.kills)
        moments: list[str] = []
        lingered = [0.0]
        left: set[Process] = set()
        for kill in range(arguments.kills):
            attempt = begin(arguments.clips, disturbed, arguments)
            moments.append(wait_and_kill(attempt, kill, timing, draw))
            left |= attempt.left
            if kill % 2:  # after the others the run goes on while they may live
                lingered.append(lingered_s(attempt.workers))
        last = begin(arguments.clips, disturbed, arguments)
        last_exit_code = last.process.wait()
        lingered_s(left)
        wanted, got = contents(whole), contents(disturbed)
        report = {
            "videos": timing.n_videos,
            "undisturbed_s": round(wall_s, 1),
            "exit_codes": [exit_code, last_exit_code],
            "kills": {moment: moments.count(moment) for moment in dict.fromkeys(moments)},
            "longest_worker_s": round(max(lingered), 2),
            "left_for_good": sum(process.alive() for process in left),
            "files": len(wanted),
            "differing": sorted(name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name)),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
