"""Datasets in which an array of one clip is another one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from manifests.files.tables import write_parquet
from manifests.schema.arrow_arrays import array_column, numpy_of
from manifests.schema.clips import CLIPS


def rewrite_array(
    dataset: Path, video: str, row: int, column: str, change: Callable[[np.ndarray], np.ndarray | None]
) -> None:
    """Replace the array of one row in the file of a video's clips."""
    path = dataset / "clips" / f"{video}.parquet"
    rows = pq.read_table(path, partitioning=None)
    arrays = list(numpy_of(rows[column]))
    arrays[row] = change(arrays[row].copy())
    number = rows.column_names.index(column)
    changed = array_column(arrays, CLIPS.column(column).type)
    write_parquet(path, rows.set_column(number, CLIPS.column(column).field, changed), CLIPS)
