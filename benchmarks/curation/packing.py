"""How long does packing a dataset take, and how much memory and disk does it need?

Packs the videos of a dataset, repeated under other names. Prints one JSON line. `pack` is the end of a first run;
`nothing_new` packs again; `one_more` a run that adds one video. `peak_mb` is the peak memory of the process, `extra_mb`
the most that the dataset was larger than before.

    python -m benchmarks.curation.packing DATASET [--videos 300] [--part-mb 256] [--shard-gib 1] [--folder FOLDER]

DATASET has one file per table, such as that of `make demo`.
"""

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from manifests.files.tables import read_table, write_parquet
from manifests.files.tar import MemberRange, read_member, write_tar
from manifests.packing.pack import StorageSettings, compact
from manifests.schema.tables import TABLES

MB = 1e6


def put_copy(dataset: Path, tables: dict[str, pa.Table], video_id: str, target: Path, name: str) -> None:
    """Write a video of `dataset` into `target` under another id, as a worker does."""
    for table in ("frames", "spans", "clips"):
        rows = tables[table].filter(pc.equal(tables[table]["video_id"], video_id))
        if not len(rows):
            continue
        changed: dict[str, list[str] | list[int] | list[int | None]] = {"video_id": [name] * len(rows)}
        if table == "clips":
            members = []
            for row in rows.select(
                ["clip_id", "media", "mp4_offset", "mp4_size", "flac_offset", "flac_size"]
            ).to_pylist():
                for kind in ("mp4", "flac"):
                    if row[f"{kind}_offset"] is not None:
                        where = MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
                        clip = name + row["clip_id"][len(video_id) :]
                        members.append((f"{clip}.{kind}", read_member(dataset, row["media"], where)))
            ranges = dict(
                zip(
                    (member for member, _ in members), write_tar(target / "media" / f"{name}.tar", members), strict=True
                )
            )
            clips = [name + clip_id[len(video_id) :] for clip_id in rows["clip_id"].to_pylist()]
            members_of = [(ranges[f"{clip}.mp4"], ranges.get(f"{clip}.flac")) for clip in clips]
            changed |= {"clip_id": clips, "media": [f"media/{name}.tar"] * len(rows)}
            changed |= {"mp4_offset": [mp4.offset for mp4, _ in members_of]}
            changed |= {"flac_offset": [None if flac is None else flac.offset for _, flac in members_of]}
        for column, values in changed.items():
            number = rows.schema.get_field_index(column)
            rows = rows.set_column(number, rows.schema.field(number), pa.array(values, rows.schema.field(number).type))
        write_parquet(target / table / f"{name}.parquet", rows, TABLES[table])


def size_of(dataset: Path) -> tuple[int, int]:
    """Return the number of files of a dataset, and their bytes."""
    sizes = []
    for path in dataset.rglob("*"):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:  # just replaced
            continue
    return sum(size > 0 for size in sizes), sum(sizes)


def timed(dataset: Path, live: Sequence[str], settings: StorageSettings) -> dict[str, float]:
    """Pack, and return the time and the most disk that it took in addition."""
    before = most = size_of(dataset)[1]
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.5):
            most = max(most, size_of(dataset)[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, cpu = time.monotonic(), time.process_time()
    compact(dataset, live, settings)
    figures = {"s": round(time.monotonic() - started, 2), "cpu_s": round(time.process_time() - cpu, 2)}
    done.set()
    watcher.join()
    return figures | {"extra_mb": round((most - before) / MB, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--part-mb", type=float, default=256.0)
    parser.add_argument("--shard-gib", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    settings = StorageSettings(part_mb=arguments.part_mb, shard_gib=arguments.shard_gib)
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        dataset = Path(folder)
        tables = {name: read_table(arguments.dataset, name) for name in ("frames", "spans", "clips")}
        ids = sorted(set(tables["frames"]["video_id"].to_pylist()))
        names = [sha256(str(number).encode()).hexdigest()[:16] for number in range(arguments.videos + 1)]
        for number, name in enumerate(names[:-1]):
            put_copy(arguments.dataset, tables, ids[number % len(ids)], dataset, name)
        (n_before, n_bytes), loaded = size_of(dataset), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report: dict[str, object] = {"videos": arguments.videos, "files_before": n_before, "mb": round(n_bytes / MB, 1)}
        report["pack"] = pack = timed(dataset, names[:-1], settings)
        report["mb_per_s"] = round(n_bytes / MB / max(pack["s"], 0.01), 1)
        report["files"] = size_of(dataset)[0]
        report["nothing_new"] = timed(dataset, names[:-1], settings)
        put_copy(arguments.dataset, tables, ids[-1], dataset, names[-1])
        report["one_more"] = timed(dataset, names, settings)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report |= {"peak_mb": round(peak * 1024 / MB), "peak_before_mb": round(loaded * 1024 / MB)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
