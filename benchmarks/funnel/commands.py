"""A command of a checkout, run in processes of its own: what time and memory it takes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Checkout", "Cost", "run_command"]

_POLL_S = 0.2

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_MAIN = "from curation.cli.app import main; main()"

_OURS = "import curation, os; print(os.path.dirname(os.path.dirname(curation.__file__)))"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A checkout of the project and the settings that only its runs get."""

    path: Path
    overrides: tuple[str, ...] = ()

    def commit(self) -> str:
        """Return its commit, with a plus where files differ from it."""
        git = ["git", "-C", str(self.path)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
        return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")

    def environment(self) -> dict[str, str]:
        """Return the environment in which Python takes its packages."""
        return {**os.environ, "PYTHONPATH": str(self.path), "PYTHONDONTWRITEBYTECODE": "1"}

    def check(self) -> None:
        """Import its packages once.

        Raises:
            RuntimeError: those of another checkout are imported.
        """
        done = subprocess.run(
            [sys.executable, "-c", _OURS],
            capture_output=True,
            text=True,
            check=True,
            cwd=self.path,
            env=self.environment(),
        )
        if Path(done.stdout.strip()).resolve() != self.path.resolve():
            raise RuntimeError(f"{self.path} is no checkout: Python imports {done.stdout.strip()}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a command took, with all processes that it started."""

    cpu_s: float
    """Processor time."""
    wall_s: float
    driver_mib: float
    """Peak memory of the command's own process."""
    worker_mib: float
    """Peak memory of the largest Ray worker; 0 where there is none."""


@dataclass(slots=True)
class _Seen:
    """What was seen last of a process."""

    cpu_s: float = 0.0
    peak_mib: float = 0.0
    worker: bool = False


@dataclass(slots=True)
class _Tree:
    """A process and its descendants, those included that outlive their parents."""

    root: int
    seen: dict[tuple[int, int], _Seen] = field(default_factory=dict)
    """By process and the time of its start."""

    def look(self) -> None:
        """Note time and memory of each process."""
        found = dict(_processes())
        known = {pid for pid, _ in self.seen} | {self.root}
        while more := {pid for pid, (parent, _, _) in found.items() if parent in known} - known:
            known |= more
        for pid in known & found.keys():
            _, start, cpu_s = found[pid]
            one = self.seen.setdefault((pid, start), _Seen())
            one.cpu_s = max(one.cpu_s, cpu_s)
            one.peak_mib = max(one.peak_mib, _peak_mib(pid))
            one.worker = one.worker or _title(pid).startswith("ray::")

    def driver_mib(self) -> float:
        """Return the peak memory of the first process."""
        return max((one.peak_mib for (pid, _), one in self.seen.items() if pid == self.root), default=0.0)


def _processes() -> list[tuple[int, tuple[int, int, float]]]:
    """Return each process of the machine with its parent, its start and its own processor time, seconds."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        found.append((int(folder.name), (int(fields[1]), int(fields[19]), cpu_s)))
    return found


def _peak_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def run_command(checkout: Checkout, source: Path, dataset: Path, workers: int, overrides: Sequence[str] = ()) -> Cost:
    """Run `gaia-curate run` of a checkout.

    Args:
        checkout: whose packages run.
        source: folder of videos.
        dataset: folder that is written.
        workers: 1: the command's process does all the work; more: a Ray pool.
        overrides: settings, `NAME=VALUE`, before those of the checkout.

    Raises:
        RuntimeError: the command failed.
    """
    arguments = ["run", "--source", str(source), "--out", str(dataset), "--preset", "embedded"]
    arguments += ["--executor", "inline"] if workers == 1 else ["--executor", "ray", "--workers", str(workers)]
    arguments += [f"--set={setting}" for setting in (*overrides, *checkout.overrides)]
    log = dataset.with_suffix(".log")
    begin_s = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *arguments],
            stdout=output,
            stderr=output,
            cwd=checkout.path,
            env=checkout.environment(),
        )
        tree, ended = _Tree(process.pid), threading.Event()
        watcher = threading.Thread(target=_watch, args=(tree, ended))
        watcher.start()
        # Of a process that has ended and all that it waited for, the kernel knows the exact time.
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begin_s
        ended.set()
        watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the command of {checkout.path} ended with {process.returncode}: {log.read_text()[-2000:]}")
    return Cost(
        cpu_s=max(usage.ru_utime + usage.ru_stime, sum(one.cpu_s for one in tree.seen.values())),
        wall_s=wall_s,
        driver_mib=tree.driver_mib(),
        worker_mib=max((one.peak_mib for one in tree.seen.values() if one.worker), default=0.0),
    )


def _watch(tree: _Tree, ended: threading.Event) -> None:
    while not ended.is_set():
        tree.look()
        ended.wait(_POLL_S)
