"""Files of a table that are replaced by files of the same videos with changed rows, one at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from foundation.storage.atomic import replacing
from manifests.files.journal import hidden_name, move_file, swap_files
from manifests.packing.packed_files import TableFile, sources_of
from manifests.packing.rows import VideoRows, write_packed
from manifests.schema.columns import Table

__all__ = ["rewrite_file"]


def rewrite_file(dataset: Path, table: Table, file: TableFile, change: Callable[[str, pa.Table], pa.Table]) -> None:
    """Replace a file in one step, so that a reader finds its old rows or its new ones.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        table: of the file.
        file: to be replaced.
        change: returns rows changed, given the id of their video and some of its rows.

    Raises:
        DatasetError: the file is damaged.
        OSError: it cannot be read or written.
    """
    begun = dataset / hidden_name(file.name)
    footer = file.facts.footer() if file.packed else {}
    with VideoRows(table, sources_of([file])) as rows, replacing(begun) as stream:
        digest = write_packed(stream, table, _changed(rows, file, change), footer)
    name = file.name
    if file.packed:  # the name of a packed file ends in its digest
        name = f"{file.name.removesuffix('.parquet').rpartition('-')[0]}-{digest[:12]}.parquet"
        move_file(begun, dataset / hidden_name(name))
    swap_files(dataset, [name], [file.name])


def _changed(rows: VideoRows, file: TableFile, change: Callable[[str, pa.Table], pa.Table]) -> Iterator[pa.Table]:
    for video in sorted(file.facts.videos):
        for piece in rows.of(video):
            yield change(video, piece)
