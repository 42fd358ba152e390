"""How long does `gaia-curate report` take on a dataset of many videos, in how much memory, and how large is the page?

    python -m benchmarks.curation.review_page DATASET [--videos 10000] [--longest-s 8] [--out FOLDER]

Repeats the videos of DATASET, with the same rows under other ids, in packed files as a run leaves them; clips share the
tars of DATASET. Source videos differ in a number that players skip. They are written for the videos that the report
draws alone: of the others it reads no picture. Prints one JSON line. `made_mb` leaves the sources out.

DATASET is finished, and its sources are MP4 files at their recorded places. FOLDER keeps the new dataset and the page.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.curation.run_command import GAIA_CURATE, numbered
from curation.review.measured_videos import VideoRow
from curation.review.sampling import chosen_videos
from curation.sources.content import content_of
from foundation.storage.path_text import path_of_text
from manifests.files.tables import read_table, write_parquet
from manifests.packing.packed_files import PACKED, PackedFacts, TableFile, sources_of, table_inventory
from manifests.packing.prefix_tree import Leaf, leaves
from manifests.packing.rows import VideoRows, write_packed
from manifests.record import read_dataset, write_dataset
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS, VIDEOS
from manifests.totals import totals_of

DRAWN, SEED = 200, 0
"""Videos that the report looks at by default, and the seed of the draw."""

PART_BYTES = 256_000_000
"""Size of a packed file, as by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A video under another id."""

    number: int
    row: Mapping[str, object]
    """Of the origin in the table `videos`."""
    video_id: str


def copies_of(rows: Sequence[Mapping[str, object]], n: int, scratch: Path) -> list[Copy]:
    """Return as many copies, the rows in turn; ids are those of the numbered files."""
    made = []
    for number in range(n):
        row = rows[number % len(rows)]
        scratch.write_bytes(numbered(path_of_text(str(row["path"])).read_bytes(), number))
        made.append(Copy(number=number, row=row, video_id=content_of(scratch, whole=True).video_id))
    return sorted(made, key=lambda copy: copy.video_id)


def renamed(rows: pa.Table, copy: Copy, path: str) -> pa.Table:
    """Return rows of any table under the id of a copy."""
    origin = str(copy.row["video_id"])
    changed: dict[str, list[str | None]] = {"video_id": [copy.video_id] * len(rows), "path": [path] * len(rows)}
    if "clip_id" in rows.column_names:
        old = rows["clip_id"].to_pylist()
        changed["clip_id"] = [None if clip is None else copy.video_id + clip.removeprefix(origin) for clip in old]
    for column, values in changed.items():
        if column in rows.column_names:
            number = rows.schema.get_field_index(column)
            field = rows.schema.field(number)
            rows = rows.set_column(number, field, pa.array(values, field.type))
    return rows


def write_table(origin: Path, out: Path, table: Table, copies: Sequence[Copy], paths: Mapping[str, str]) -> None:
    """Write the rows of the copies in a table as packed files."""
    files = sources_of(table_inventory(origin, table))
    own = [copy for copy in copies if str(copy.row["video_id"]) in files]
    rows_of = {str(copy.row["video_id"]): pa.table({}) for copy in own}
    with VideoRows(table, {video_id: files[video_id] for video_id in rows_of}) as rows:
        for video_id in sorted(rows_of):
            rows_of[video_id] = rows.table_of(video_id)
    of_id = {copy.video_id: copy for copy in own}
    sizes = {copy.video_id: files[str(copy.row["video_id"])].facts.videos[str(copy.row["video_id"])] for copy in own}
    (out / table.name).mkdir()
    for leaf in leaves({video_id: size for video_id, (size, _) in sizes.items()}, PART_BYTES):
        facts = packed_facts(leaf, sizes, [files[str(of_id[video_id].row["video_id"])] for video_id in leaf.videos])

        def pieces(leaf: Leaf = leaf) -> Iterator[pa.Table]:
            for video_id in leaf.videos:
                copy = of_id[video_id]
                yield renamed(rows_of[str(copy.row["video_id"])], copy, paths[video_id])

        with (out / table.name / f"{PACKED}{leaf.prefix or 'all'}.parquet").open("wb") as stream:
            write_packed(stream, table, pieces(), facts.footer())


def packed_facts(leaf: Leaf, sizes: Mapping[str, tuple[int, int]], files: Sequence[TableFile]) -> PackedFacts:
    """Return what the footer of a packed file says."""
    media = sorted({tar for file in files for tar in file.facts.media})
    return PackedFacts(prefix=leaf.prefix, videos={name: sizes[name] for name in leaf.videos}, media=tuple(media))


def make(origin: Path, out: Path, n: int, longest_s: float) -> None:
    """Write a dataset of `n` videos that repeats another, and the sources that a report looks at."""
    out.mkdir(parents=True)
    sources = out.with_name(f"{out.name}_sources")
    sources.mkdir()
    rows = [row for row in read_table(origin, "videos").to_pylist() if row["duplicate_of"] is None]
    rows = [row for row in rows if (row["duration_s"] or 0.0) <= longest_s]
    copies = copies_of(rows, n, sources / "scratch.mp4")
    (sources / "scratch.mp4").unlink()
    paths = {copy.video_id: str(sources.resolve() / f"{copy.number:06d}.mp4") for copy in copies}
    for table in (FRAMES, SPANS, CLIPS):
        write_table(origin, out, table, copies, paths)
    (out / "media").mkdir()
    for tar in (origin / "media").iterdir():
        try:
            os.link(tar, out / "media" / tar.name)
        except OSError:  # on another disk
            shutil.copyfile(tar, out / "media" / tar.name)
    made: list[dict[str, Any]] = [
        dict(copy.row) | {"video_id": copy.video_id, "path": paths[copy.video_id],
                          "size_bytes": int(str(copy.row["size_bytes"])) + 16}
        for copy in copies
    ]  # fmt: skip
    write_parquet(out / "videos" / "videos.parquet", pa.Table.from_pylist(made, schema=VIDEOS.arrow_schema()), VIDEOS)
    write_dataset(out, read_dataset(origin).model_copy(update={"totals": totals_of(out)}))
    of_id = {copy.video_id: copy for copy in copies}
    names = VideoRow.__dataclass_fields__
    for row in chosen_videos([VideoRow(**{name: row[name] for name in names}) for row in made], DRAWN, SEED):
        copy = of_id[row.video_id]
        Path(row.path).write_bytes(numbered(path_of_text(str(copy.row["path"])).read_bytes(), copy.number))


def measured(dataset: Path, page: Path) -> dict[str, object]:
    """Run the command, and return its figures."""
    started = time.monotonic()
    subprocess.run(
        [GAIA_CURATE, "report", str(dataset), "--out", str(page)], check=True, stdout=sys.stderr, stderr=sys.stderr
    )
    wall_s, spent = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": round(wall_s, 1),
        "cpu_s": round(spent.ru_utime + spent.ru_stime, 1),
        "peak_mib": spent.ru_maxrss // 1024,
        "page_mb": round(page.stat().st_size / 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--longest-s", type=float, default=8.0, help="of DATASET, repeat videos up to this length")
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.out or Path(temporary)
        dataset = folder / "dataset"
        if not dataset.exists():
            make(arguments.dataset, dataset, arguments.videos, arguments.longest_s)
        totals = read_dataset(dataset).totals
        size = sum(path.stat().st_size for path in dataset.rglob("*.parquet"))
        figures = {"videos": totals.videos, "clips": totals.clips, "hours": round(totals.hours_raw, 2)}
        figures |= {"made_mb": round(size / 1e6)}
        print(json.dumps(figures | measured(dataset, folder / "report.html")))


if __name__ == "__main__":
    main()
