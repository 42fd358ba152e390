"""How much faster is a run with several workers than with one?

    python -m benchmarks.curation.workers CLIPS [--copies 2] [--workers 2] [--turns 1] [--set NAME=VALUE]

Every clip is there several times, each copy with a number in a box that players skip, so that all are different videos.
The command runs with one worker and with several, in turn, both on a Ray pool. Prints one JSON line: seconds
from the first unit to the last one's end and seconds of the whole command for each run, and the ratio of
speeds by either. The figures are meaningful on idle machines with that many physical cores only.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.curation.run_command import curate_command, numbered, workers_time


@dataclass(frozen=True)
class Timing:
    """Times of a run."""

    work_s: float
    """From the beginning of the first unit to the end of the last."""
    command_s: float
    """Of the command, with the start of Ray, the loading of models, and packing."""


def repeated(clips: Path, folder: Path, copies: int) -> int:
    """Copy every clip `copies` times and return the number of files."""
    folder.mkdir()
    found = sorted(clips.glob("*.mp4"))
    for number in range(copies):
        for clip in found:
            target = folder / f"{clip.stem}_{number}.mp4"
            target.write_bytes(numbered(clip.read_bytes(), number))
    return copies * len(found)


def timed(source: Path, dataset: Path, workers: int, overrides: list[str]) -> Timing:
    """Run the command."""
    command = curate_command(source, dataset, workers=workers, overrides=overrides)
    begin_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    command_s = time.monotonic() - begin_s
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    work_s = workers_time(dataset, workers).work_s
    shutil.rmtree(dataset)
    return Timing(work_s, command_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    one: list[Timing] = []
    several: list[Timing] = []
    with tempfile.TemporaryDirectory() as folder:
        source, dataset = Path(folder, "raw"), Path(folder, "dataset")
        n_videos = repeated(arguments.clips, source, arguments.copies)
        for _ in range(arguments.turns):
            one.append(timed(source, dataset, 1, arguments.overrides))
            several.append(timed(source, dataset, arguments.workers, arguments.overrides))
    report = {
        "videos": n_videos,
        "workers": arguments.workers,
        "work_s": {"one": [round(t.work_s, 1) for t in one], "several": [round(t.work_s, 1) for t in several]},
        "whole_s": {"one": [round(t.command_s, 1) for t in one], "several": [round(t.command_s, 1) for t in several]},
        "speed_up_of_work": round(sum(t.work_s for t in one) / sum(t.work_s for t in several), 2),
        "speed_up_of_whole": round(sum(t.command_s for t in one) / sum(t.command_s for t in several), 2),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
