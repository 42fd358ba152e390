"""Declared columns of arrays, and where they lie in the row groups of a Parquet file."""

import functools
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from foundation.array_types import Int64Array
from foundation.storage.parquet_bounds import schema_of

__all__ = ["ArrayKind", "Numbers", "array_kind", "array_ranges"]

Numbers = npt.NDArray[np.generic]
"""Numbers of a kind that the declaration of their column names."""

_NUMBERS: dict[str, np.dtype[np.float32] | np.dtype[np.float16]] = {
    "FLOAT": np.dtype("<f4"),
    "FIXED_LEN_BYTE_ARRAY": np.dtype("<f2"),
}
"""By Parquet's type of a column of floating-point numbers, NumPy's; of fixed length, two bytes are asked for."""


class ArrayKind(NamedTuple):
    """A declared column of arrays of two or three dimensions."""

    column: pq.ColumnSchema
    """As Parquet has it."""
    lists: int
    """Lists in each other: the dimensions."""
    present: int
    """Definition level of a number that is there."""
    number: np.dtype[np.float32] | np.dtype[np.float16]


@functools.cache
def array_kind(field: pa.Field) -> ArrayKind:
    """Return the kind of a declared column.

    Raises:
        ValueError: its values are no arrays of two or three dimensions of float32 or float16.
    """
    sink = io.BytesIO()
    pq.write_table(pa.schema([field]).empty_table(), sink)
    schema = pq.ParquetFile(sink).schema
    column = schema.column(0)
    if len(schema) != 1 or column.max_repetition_level not in (2, 3) or column.physical_type not in _NUMBERS:
        raise ValueError(f"{field} is no column of arrays of two or three dimensions of float32 or float16")
    number = _NUMBERS[column.physical_type]
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length != number.itemsize:
        raise ValueError(f"{field} has numbers of {column.length} bytes")
    return ArrayKind(column, column.max_repetition_level, column.max_definition_level, number)


def array_ranges(metadata: pq.FileMetaData, kinds: Sequence[ArrayKind]) -> Int64Array:
    """Return (row groups, kinds, 2) first byte and length of each column in the row groups of a file.

    The length is 0 where the file has no such column, or has it in another form, or the row group has several rows.

    Args:
        metadata: footer of the file.
        kinds: the columns.
    """
    schema = schema_of(metadata)
    numbers = {schema.column(number).path: number for number in range(len(schema))}
    there = []
    for place, kind in enumerate(kinds):
        number = numbers.get(kind.column.path)
        if number is not None and schema.column(number).equals(kind.column):
            there.append((place, number))
    ranges = np.zeros((metadata.num_row_groups, len(kinds), 2), np.int64)
    for row, range_of in enumerate(ranges):
        group = metadata.row_group(row)
        if group.num_rows != 1:
            continue
        for place, number in there:
            column = group.column(number)
            if column.compression == "ZSTD" and not column.has_dictionary_page:
                range_of[place] = max(0, column.data_page_offset), max(0, column.total_compressed_size)
    return ranges
