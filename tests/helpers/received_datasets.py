"""A dataset as somebody else may hand it over: two made videos, and ways to make it lead out of its folder."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.output.ledger import VideoRecord, write_record
from curation.output.provenance import new_record
from curation.settings import CurationSettings
from helpers.made_parts import MADE_VIDEOS, put_videos, table_of
from manifests.files.tables import write_parquet
from manifests.packing.pack import StorageSettings, compact
from manifests.record import write_dataset
from manifests.schema.videos import VIDEOS
from manifests.totals import totals_of

RECEIVED = MADE_VIDEOS[:2]


def make_received(dataset: Path, *, packed: bool = False) -> Path:
    """Write a finished dataset of the videos `RECEIVED`, of the speakers 0 and 1; its clips are random bytes."""
    put_videos(dataset, RECEIVED)
    records = [
        VideoRecord(
            video_id=video_id,
            source="s",
            path=f"/{video_id}",
            speaker_id=str(number),
            size_bytes=9,
            duration_s=0.8,
            status="ok",
            n_clips=2,
        )
        for number, video_id in enumerate(RECEIVED)
    ]
    for record in records:
        write_record(dataset, record)
    if packed:
        compact(dataset, RECEIVED, StorageSettings())
    rows = table_of("videos", [record.model_dump() for record in records])
    write_parquet(dataset / "videos" / "videos.parquet", rows, VIDEOS)
    record = new_record(CurationSettings(), ())
    write_dataset(dataset, record.model_copy(update={"totals": totals_of(dataset)}))
    return dataset


def everything_in(folder: Path) -> dict[str, object]:
    """Return every file and link of a folder by its name, with content or target, without opening anything else."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = str(path.readlink())
        else:
            found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else oct(path.stat().st_mode)
    return found


def rewrite_row(path: Path, row: int, values: Mapping[str, object]) -> None:
    """Give a row of a Parquet file other values; schema and footer stay."""
    table = pq.read_table(path, partitioning=None)
    rows: list[dict[str, Any]] = table.to_pylist()
    rows[row] |= values
    for name in values:
        number = table.schema.get_field_index(name)
        field = table.schema.field(number)
        table = table.set_column(number, field, pa.array([one[name] for one in rows], field.type))
    pq.write_table(table, path)


def rewrite_json(path: Path, values: Mapping[str, object]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(values)))


def make_fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    with _short_name(path) as short, socket.socket(socket.AF_UNIX) as made:
        made.bind(short)


def make_device(path: Path) -> None:
    """A link to a device that gives bytes without end: making a device needs rights that tests may lack."""
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


@contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """Yield a name of at most 108 bytes, the most that the address of a socket may have."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
