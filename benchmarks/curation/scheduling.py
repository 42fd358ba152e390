"""How many units per second does the driver of a pool schedule, and does its memory grow?

    python -m benchmarks.curation.scheduling [--units 200000] [--workers 2]

Real Ray workers receive units and do nothing with them. Prints one JSON line: units per second, and the driver's
resident memory when a tenth, half and all of them are done.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curation.engine.pool_worker import UnitWorker
from curation.engine.ray_pool import curate_on_ray
from curation.engine.supervision import PoolSettings
from curation.engine.units import Outcome, Unit
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo


class IdleWorker:
    """A worker that returns a record at once."""

    def work(self, unit: Unit, _length: Callable[[float], None], /) -> Outcome:
        """Return a record."""
        video = unit.video
        return VideoRecord(
            video_id=video.video_id,
            source=video.source,
            path=str(video.path),
            speaker_id=None,
            size_bytes=video.size_bytes,
            status="ok",
        )


@dataclass(frozen=True)
class IdlePlan:
    """A plan whose workers do nothing."""

    dataset: Path
    window_s: float = 180.0

    def make_worker(self) -> UnitWorker:
        """Return a worker; there is nothing to load."""
        return IdleWorker()


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
            IdlePlan(Path(folder)),
            videos,
            workers=arguments.workers,
            address=None,
            gpus_per_worker=0.0,
            settings=PoolSettings(units_per_worker=n),
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
