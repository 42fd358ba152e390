"""Curate thousands of tiny videos, or one long one: memory of driver and workers, and where the wall time goes.

    python benchmarks/scale.py [--tiny 5000] [--tiny-s 1.0] [--long-s 3600] [--workers 2] [--set NAME=VALUE]

The videos are cut out of, or strung together from, the sample video without encoding anew; tiny ones differ by a number
in a box that players skip. `--tiny 0` or `--long-s 0` leaves one out. Prints one JSON line for each of the two runs:

memory_mib   resident memory of the driver, and of the larger worker, in the first, fifth and last tenth of the units
start_s      until the first unit is begun: Ray, the models of the workers
work_s       from then until the last video is done
pack_s       until the command ends: packing, the tables of all videos
of_workers   how the workers' time from the first unit to the last video is spent, as shares of it: `phases` is
             decoding, models and encoding (columns analyze_s and render_s of `videos`), `deciding` the rules
             (decide_s), `writing` the rest of the units' time, which is the files of the dataset, `waiting` when a
             worker had no unit
per_video_ms the same per video, but for `phases`
"""

import argparse
import json
import math
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av

from curation.event_log import events_path
from manifests.files import read_table

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "talking_astronaut.mp4"


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
        (folder / f"{k:06d}.mp4").write_bytes(base + struct.pack(">I4sQ", 16, b"free", k))


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

    def report(self) -> dict[str, dict[str, int]]:
        """Return the most in each of some tenths."""
        n_units = self.samples[-1][0]
        found = {}
        for name, tenth in (("first", 0), ("fifth", 4), ("last", 9)):
            own = [s for s in self.samples if tenth * n_units / 10 <= s[0] <= (tenth + 1) * n_units / 10]
            found[name] = {"driver": max((s[1] for s in own), default=0), "worker": max((s[2] for s in own), default=0)}
        return found


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


def measured(source: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Run the command over a folder and report."""
    dataset = source.parent / "dataset"
    command = [
        str(Path(sys.executable).with_name("gaia-curate")),
        "run",
        "--source",
        str(source),
        "--out",
        str(dataset),
    ]
    command += ["--preset", "embedded", "--executor", "ray", "--workers", str(arguments.workers)]
    command += [f"--set={setting}" for setting in arguments.overrides]
    memory = Memory()
    begun = time.time()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None:
        memory.look(process.pid, dataset)
        time.sleep(0.5)
    ended = time.time()
    events = [json.loads(line) for line in events_path(dataset).read_text(encoding="utf-8").splitlines()]
    at = {e["event"]: datetime.fromisoformat(e["time"]).timestamp() for e in reversed(events)}  # the first of its kind
    rows = read_table(
        dataset, "videos", ["status", "analyze_s", "decide_s", "render_s", "duration_s", "n_clips"]
    ).to_pylist()
    work_s = at["run_end"] - at["begin"]
    busy_s = sum(event["seconds"] for event in events if event["event"] == "end")
    phases_s = sum(row["analyze_s"] + row["render_s"] for row in rows)
    deciding_s = sum(row["decide_s"] for row in rows)
    workers_s = arguments.workers * work_s
    outside = {"deciding": deciding_s, "writing": busy_s - phases_s - deciding_s, "waiting": workers_s - busy_s}
    return {
        "exit_code": process.returncode,
        "videos": len(rows),
        "ok": sum(row["status"] == "ok" for row in rows),
        "clips": sum(row["n_clips"] for row in rows),
        "hours": round(sum(row["duration_s"] for row in rows) / 3600, 3),
        "memory_mib": memory.report(),
        "start_s": round(at["begin"] - begun, 1),
        "work_s": round(work_s, 1),
        "pack_s": round(ended - at["run_end"], 1),
        "of_workers": {"phases": round(phases_s / workers_s, 4)}
        | {k: round(s / workers_s, 4) for k, s in outside.items()},
        "per_video_ms": {k: round(1000 * s / len(rows), 1) for k, s in outside.items()},
    }


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", type=int, default=5000, help="how many")
    parser.add_argument("--tiny-s", type=float, default=1.0, help="how long each is, seconds")
    parser.add_argument("--long-s", type=float, default=3600.0, help="length of the long video, seconds")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    if arguments.tiny:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "raw")
            source.mkdir()
            make_tiny(source, arguments.tiny, arguments.tiny_s)
            print(json.dumps({"tiny_s": arguments.tiny_s} | measured(source, arguments)), flush=True)
    if arguments.long_s:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "raw")
            source.mkdir()
            make_long(source / "long.mp4", arguments.long_s)
            print(json.dumps({"long_s": arguments.long_s} | measured(source, arguments)), flush=True)


if __name__ == "__main__":
    main()
