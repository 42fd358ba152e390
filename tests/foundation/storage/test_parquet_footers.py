"""Footers of Parquet files are given back with their files, not when Python next looks for cycles."""

import gc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.storage.array_columns import array_kind, array_ranges
from foundation.storage.arrow import BoundedParquetFile, open_parquet
from manifests.packing.packed_files import span_of_ids

ARRAYS = array_kind(pa.field("a", pa.list_(pa.list_(pa.float32()))))


@pytest.mark.parametrize(
    "read",
    [
        lambda file: file.read(),
        lambda file: file.read_row_group(0, columns=["video_id"]),
        lambda file: span_of_ids(file, 0),
        lambda file: array_ranges(file.metadata, [ARRAYS]),
    ],
    ids=["all", "a row group", "ids", "ranges of arrays"],
)
def test_nothing_of_a_file_that_was_read_and_closed_is_left(
    read: Callable[[BoundedParquetFile], object], tmp_path: Path
) -> None:
    pq.write_table(pa.table({"video_id": ["x", "y"], "a": [[[1.0]], [[2.0]]]}), tmp_path / "table.parquet")
    gc.collect()
    gc.disable()
    try:
        before = {id(one) for one in gc.get_objects() if isinstance(one, pq.FileMetaData)}
        with open_parquet(tmp_path / "table.parquet") as file:
            read(file)
        del file
        left = [one for one in gc.get_objects() if isinstance(one, pq.FileMetaData) and id(one) not in before]
    finally:
        gc.enable()
    assert left == []
