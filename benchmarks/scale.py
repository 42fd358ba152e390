"""Curate thousands of tiny videos, or one long one: memory of driver and workers, and where the wall time goes.

    python benchmarks/scale.py [--tiny 5000] [--tiny-s 3.0] [--long-s 3600] [--workers 2] [--set NAME=VALUE]

The videos are cut out of, or strung together from, the sample video without encoding anew; tiny ones differ by a number
in a box that players skip. The first 3 s of the sample show a face that speaks, and become a clip: the shortest video
that is worth curating. `--tiny-s 0.12` makes videos of three pictures and no clip. `--tiny 0` or `--long-s 0` leaves
one out. Prints one JSON line for each of the two runs, and last a table of both:

memory_mib   resident memory of the driver, and of the larger worker: the most in the first, fifth and last tenth of the
             units, null where no sample fell into one, and the most of all
start_s      until the first unit is begun: Ray, the models of the workers
work_s       from then until the last unit has ended
pack_s       until the command ends: Ray goes, packing, the tables of all videos
of_workers   how the workers' time from the first unit to the last is spent, as shares of it. Inside is `phases`:
             decoding, models and encoding, and what prepares pictures and sound for them (columns analyze_s and
             render_s of `videos`). Outside are `deciding`, the rules (decide_s); `writing`, the rest of the units'
             time: the files of the dataset, and Ray's calls to the workers; `handover`, from a unit's end to the
             next one's beginning on a worker; and `idle`: no unit to do yet or any more, or a worker that has come
             to its end is being replaced
outside      all four together
per_video_ms the same per video, but for `phases`
"""

import argparse
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from curate_command import curate_command, numbered, workers_time

from curation.engine.event_log import events_path
from manifests.files.tables import read_table

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "talking_astronaut.mp4"

LOOK_EVERY_S = 1.0
"""Pause between two samples of the memory."""


def cut(target: Path, seconds: float) -> None:
    """Copy the packets of the first seconds of the sample."""
    with av.open(str(SAMPLE)) as read, av.open(str(target), "w", options={"movflags": "+faststart"}) as write:
        tracks = {track.index: write.add_stream_from_template(track) for track in read.streams}
        for packet in read.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = tracks[packet.stream_index]
                write.mux(packet)


def make_tiny(folder: Path, number: int, seconds: float) -> None:
    """Write so many videos of equal pictures and different bytes."""
    cut(folder / "base.mp4", seconds)
    base = (folder / "base.mp4").read_bytes()
    (folder / "base.mp4").unlink()
    for k in range(number):
        (folder / f"{k:06d}.mp4").write_bytes(numbered(base, k))


def make_long(target: Path, seconds: float) -> None:
    """String the sample together until the video is so long."""
    with av.open(str(SAMPLE)) as read:
        packets = [packet for packet in read.demux() if packet.dts is not None]
        ends_s = [(packet.dts + packet.duration) * packet.time_base for packet in packets]
        begins_s = [packet.dts * packet.time_base for packet in packets]
        period = Fraction(math.ceil((max(ends_s) - min(begins_s)) * 25), 25)
        with av.open(str(target), "w", options={"movflags": "+faststart"}) as write:
            tracks = {track.index: write.add_stream_from_template(track) for track in read.streams}
            for turn in range(math.ceil(seconds / period)):
                for packet in packets:
                    index, time_base = packet.stream_index, packet.time_base
                    copy = av.Packet(bytes(packet))
                    shift = round(turn * period / time_base)
                    copy.pts, copy.dts, copy.duration = packet.pts + shift, packet.dts + shift, packet.duration
                    copy.time_base, copy.is_keyframe, copy.stream = time_base, packet.is_keyframe, tracks[index]
                    write.mux(copy)


@dataclass
class Memory:
    """Resident memory in MiB, sampled with how many units were done then."""

    samples: list[tuple[int, int, int]] = field(default_factory=list)
    """Units done, driver, larger worker."""

    def look(self, driver: int, dataset: Path) -> None:
        """Take a sample."""
        log = events_path(dataset)
        n_done = log.read_bytes().count(b'"end"') if log.exists() else 0
        workers = [
            resident_mib(path.parent) for path in Path("/proc").glob("[0-9]*/cmdline") if is_worker(path, driver)
        ]
        self.samples.append((n_done, resident_mib(Path("/proc", str(driver))), max(workers, default=0)))

    def report(self) -> dict[str, list[int | None]]:
        """Return the most in the first, fifth and last tenth of the units, and of all."""
        n_units = self.samples[-1][0]
        parts = [
            [s for s in self.samples if tenth * n_units / 10 <= s[0] <= (tenth + 1) * n_units / 10]
            for tenth in (0, 4, 9)
        ]
        parts.append(self.samples)
        return {
            "driver": [max((s[1] for s in part), default=None) for part in parts],
            "worker": [max((s[2] for s in part), default=None) for part in parts],
        }


def resident_mib(process: Path) -> int:
    """Return the memory of a process; 0 where it is gone."""
    try:
        status = (process / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)


def is_worker(cmdline: Path, driver: int) -> bool:
    """Say whether a process is a worker of the run: one of Ray's, in the session that the driver leads."""
    try:
        if not cmdline.read_bytes().startswith(b"ray::PoolWorker"):
            return False
        session = cmdline.with_name("stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[3]
    except OSError:
        return False
    return int(session) == driver


def measured(source: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the command over a folder and report."""
    dataset = source.parent / "dataset"
    command = curate_command(source, dataset, arguments.workers, arguments.overrides)
    memory = Memory()
    begun = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None:
        memory.look(process.pid, dataset)
        time.sleep(LOOK_EVERY_S)
    whole_s = time.time() - begun
    spent = workers_time(dataset, arguments.workers)
    columns = ["status", "analyze_s", "decide_s", "render_s", "duration_s", "n_clips"]
    rows = read_table(dataset, "videos", columns).to_pylist()
    phases_s = sum(row["analyze_s"] + row["render_s"] for row in rows)
    deciding_s = sum(row["decide_s"] for row in rows)
    outside = {
        "deciding": deciding_s,
        "writing": spent.busy_s - phases_s - deciding_s,
        "handover": spent.handover_s,
        "idle": spent.idle_s,
    }
    workers_s = arguments.workers * spent.work_s
    start_s = spent.begun - begun
    return {
        "exit_code": process.returncode,
        "videos": len(rows),
        "ok": sum(row["status"] == "ok" for row in rows),
        "clips": sum(row["n_clips"] for row in rows),
        "hours": round(sum(row["duration_s"] for row in rows) / 3600, 3),
        "memory_mib": memory.report(),
        "start_s": round(start_s, 1),
        "work_s": round(spent.work_s, 1),
        "pack_s": round(whole_s - start_s - spent.work_s, 1),
        "of_workers": {name: round(s / workers_s, 4) for name, s in ({"phases": phases_s} | outside).items()},
        "outside": round(sum(outside.values()) / workers_s, 4),
        "per_video_ms": {name: round(1000 * s / len(rows), 1) for name, s in outside.items()},
    }


def _listed(values: list[int | None]) -> str:
    return ", ".join("none" if value is None else str(value) for value in values)


ROWS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "videos, hours, clips": lambda r: f"{r['videos']:,}, {r['hours']:.2f}, {r['clips']:,}",
    "seconds: start, units, end": lambda r: f"{r['start_s']:.0f}, {r['work_s']:.0f}, {r['pack_s']:.0f}",
    "driver, MiB: first, fifth, last tenth of the units, most": lambda r: _listed(r["memory_mib"]["driver"]),
    "larger worker, MiB, likewise": lambda r: _listed(r["memory_mib"]["worker"]),
    "shares of the workers' time: decoding, models, encoding": lambda r: f"{r['of_workers']['phases']:.1%}",
    "the rules (`deciding`)": lambda r: f"{r['of_workers']['deciding']:.2%}",
    "the files of the dataset (`writing`)": lambda r: f"{r['of_workers']['writing']:.2%}",
    "between two units (`handover`)": lambda r: f"{r['of_workers']['handover']:.2%}",
    "no unit to do (`idle`)": lambda r: f"{r['of_workers']['idle']:.2%}",
    "outside together": lambda r: f"{r['outside']:.2%}",
}
"""Lines of the table that benchmarks/results/2026-11-scale.md shows."""


def table(reports: Mapping[str, dict[str, Any]]) -> str:
    """Return reports, by their headings, as a table in Markdown."""
    lines = [["", *reports], ["---"] * (len(reports) + 1)]
    lines += [[name, *(shown(report) for report in reports.values())] for name, shown in ROWS.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", type=int, default=5000, help="how many")
    parser.add_argument("--tiny-s", type=float, default=3.0, help="how long each is, seconds")
    parser.add_argument("--long-s", type=float, default=3600.0, help="length of the long video, seconds")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    reports: dict[str, dict[str, Any]] = {}
    if arguments.tiny:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "raw")
            source.mkdir()
            make_tiny(source, arguments.tiny, arguments.tiny_s)
            reports[f"{arguments.tiny:,} of {arguments.tiny_s:g} s"] = report = measured(source, arguments)
            print(json.dumps({"tiny_s": arguments.tiny_s} | report), flush=True)
    if arguments.long_s:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "raw")
            source.mkdir()
            make_long(source / "long.mp4", arguments.long_s)
            reports[f"one of {arguments.long_s:,g} s"] = report = measured(source, arguments)
            print(json.dumps({"long_s": arguments.long_s} | report), flush=True)
    print(table(reports))


if __name__ == "__main__":
    main()
