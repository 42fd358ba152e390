"""How many units per second does the driver of a pool schedule, and does its memory grow?

    python -m benchmarks.curation.scheduling [--units 200000] [--workers 2]

Real Ray workers receive units and do nothing with them. Prints one JSON line: units per second, and the driver's
resident memory when a tenth, half and all of them are done.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from curation.engine.ray_pool import curate_on_ray
from curation.engine.supervision import PoolSettings
from curation.engine.units import AnalyzeVideo, Result, ended
from curation.engine.worker import VideoWorker, WorkerPlan, ignore_length
from curation.output.ledger import VideoRecord
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo


@dataclass(frozen=True, kw_only=True)
class IdleUnit(AnalyzeVideo):
    """A unit that returns a record at once."""

    def run(self, worker: object) -> Result:  # noqa: ARG002 - there is nothing to do
        """Return a record."""
        video = self.video
        record = VideoRecord(
            video_id=video.video_id,
            source=video.source,
            path=str(video.path),
            speaker_id=None,
            size_bytes=video.size_bytes,
            status="ok",
        )
        return ended(record)


def idle_units(videos: Iterable[SourceVideo]) -> Iterator[IdleUnit]:
    """Yield a unit for each video."""
    return (IdleUnit(video=video) for video in videos)


@dataclass(frozen=True, kw_only=True)
class IdlePlan(WorkerPlan):
    """A plan whose workers load nothing."""

    def make_worker(self, on_length: Callable[[float], None] = ignore_length) -> VideoWorker:  # noqa: ARG002
        """Return a worker without models; no unit uses it."""
        return cast("VideoWorker", None)


def resident_mib() -> int:
    """Return the resident memory of this process, MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise OSError("/proc/self/status has no VmRSS")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    n = arguments.units
    videos = [
        SourceVideo(
            path=Path(f"/videos/{k:07d}.mp4"), video_id=f"{k:016x}", source="made", speaker_id=None, size_bytes=k
        )
        for k in range(n)
    ]
    marks = {max(1, n // 10): "tenth", n // 2: "half", n: "all"}
    memory = {"planned": resident_mib()}
    with tempfile.TemporaryDirectory() as folder:
        pool = curate_on_ray(
            IdlePlan(settings=CurationSettings(), dataset=Path(folder)),
            videos,
            workers=arguments.workers,
            address=None,
            gpus_per_worker=0.0,
            settings=PoolSettings(units_per_worker=n),
            units=idle_units,
        )
        first = next(pool)  # the workers have started
        started = time.perf_counter()
        done = 1
        for _ in pool:
            done += 1
            if done in marks:
                memory[marks[done]] = resident_mib()
        wall_s = time.perf_counter() - started
    if done != n or first.status != "ok":
        raise RuntimeError(f"{done} of {n} units came back")
    print(json.dumps({"units": n, "units_per_s": round((n - 1) / wall_s), "driver_mib": memory}))


if __name__ == "__main__":
    main()
