"""Parquet files of a dataset's tables: written deterministically, and read with the declared schema.

Equal rows give equal bytes. A file whose name begins with a dot is unfinished and is never read.
"""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from foundation.storage.arrow import open_parquet
from foundation.storage.atomic import replacing
from foundation.storage.locations import is_remote
from foundation.storage.side_by_side import side_by_side
from manifests.errors import DatasetError
from manifests.files.cells import unknown_words
from manifests.files.journal import SwapError, pending_swap
from manifests.files.names import files_of
from manifests.schema.columns import Table
from manifests.schema.tables import TABLES

__all__ = [
    "in_schema",
    "parquet_options",
    "read_each_file",
    "read_row",
    "read_table",
    "table_files",
    "write_parquet",
    "write_rows",
]

_ZSTD_LEVEL = 3

_REMOTE_READERS = 16
"""Remote files of a table that are read at the same time."""


def write_parquet(path: Path, table: pa.Table, schema: Table) -> None:
    """Write rows of the table `schema` to the file `path`, which appears once it is complete; see `write_rows`.

    Raises:
        ValueError: a column is missing, unknown, or null where the schema allows no null.
        OSError: the disk refused; `path` is as it was before.
    """
    with replacing(path) as stream:
        write_rows(stream, table, schema)


def write_rows(stream: BinaryIO, table: pa.Table, schema: Table) -> None:
    """Write rows of the table `schema` into an open file, as Parquet.

    Columns are put in the order of the schema and cast to its types. float32 and float64 columns are stored as split
    byte streams: with zstd, random-walk landmarks take 23 % less space than plain (42 % less than with a dictionary),
    and writing takes about 1.5 times as long. float16 stays plain, since DuckDB 2.0 cannot read it otherwise.

    Args:
        stream: the file, open and empty.
        table: the rows.
        schema: the declared table.

    Raises:
        ValueError: a column is missing, unknown, or null where the schema allows no null.
    """
    rows = _conform(table, schema)
    pq.write_table(rows, stream, row_group_size=schema.row_group_rows, **parquet_options(rows.schema))


def _conform(table: pa.Table, schema: Table) -> pa.Table:
    target = schema.arrow_schema()
    declared, given = target.names, table.column_names  # looked up once: Arrow builds these lists on every access
    missing = [name for name in declared if name not in given]
    unknown = [name for name in given if name not in declared]
    if missing or unknown:
        raise ValueError(
            f"rows for table {schema.name} lack the columns {missing} and have the unknown columns {unknown}; "
            f"manifests.schema.tables declares them"
        )
    rows = table.select(declared)
    empty = [c.name for c in schema.columns if not c.nullable and rows.column(c.name).null_count]
    if empty:
        raise ValueError(f"rows for table {schema.name} are null in {', '.join(empty)}, which may not be null")
    return rows if rows.schema.equals(target, check_metadata=True) else rows.cast(target)


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """Return compression and encodings as options of PyArrow's writers; `write_rows` has the reasons."""
    leaves = _leaf_types(schema)
    return {
        "compression": "zstd",
        "compression_level": _ZSTD_LEVEL,
        "use_dictionary": [path for path, kind in leaves.items() if kind == "BYTE_ARRAY"],
        "use_byte_stream_split": [path for path, kind in leaves.items() if kind in {"FLOAT", "DOUBLE"}],
    }


@functools.cache
def _leaf_types(schema: pa.Schema) -> dict[str, str]:
    """Return the physical type of every Parquet column of a schema, one per list of numbers or struct field."""
    sink = io.BytesIO()
    pq.write_table(schema.empty_table(), sink)
    columns = pq.ParquetFile(sink).schema
    return {columns.column(i).path: columns.column(i).physical_type for i in range(len(columns))}


def table_files(dataset: Path, name: str) -> list[Path]:
    """Return the Parquet files of table `name`, sorted by name; no files if the folder is missing.

    They are regular files in the dataset's own folder, so that they can be given to any library.

    Raises:
        DatasetError: the folder or a file is a link, a named pipe, a socket or a device; or files are being replaced,
            and the journal is damaged.
    """
    try:
        swap = pending_swap(dataset)
    except SwapError as error:
        raise DatasetError(str(error)) from error
    files = files_of(dataset, name, ".parquet")
    if swap is not None:
        files = swap.applied(dataset, name, files)
    return sorted(files, key=lambda path: path.name.lstrip("."))


def read_table(dataset: Path, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all rows of table `name`, or the given columns of them; no rows if it has no file.

    Raises:
        KeyError: a dataset has no table or column of that name.
        DatasetError: a file is damaged or has another schema; the message names it.
    """
    pieces = read_each_file(dataset, name, columns)
    return pa.concat_tables([_schema_of(name, columns).empty_table(), *(rows for _, rows in pieces)])


def read_each_file(dataset: Path, name: str, columns: Sequence[str] | None = None) -> list[tuple[Path, pa.Table]]:
    """Return each Parquet file of table `name` with its rows, in the order in which `read_table` joins them.

    Raises:
        KeyError: a dataset has no table or column of that name.
        DatasetError: a file is damaged or has another schema; the message names it.
    """
    schema = _schema_of(name, columns)

    def read(path: Path) -> tuple[Path, pa.Table]:
        try:
            with open_parquet(path) as file:
                return path, _checked(file.read(schema.names), schema)
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            raise DatasetError(f"{path}: no readable part of table {name}: {error}; run the curation again") from error

    files = table_files(dataset, name)
    if len(files) < 2 or not is_remote(dataset):
        return [read(path) for path in files]
    return side_by_side(read, files, _REMOTE_READERS)


def in_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in this schema; columns, and fields of structs, that an earlier version did not write are null.

    Raises:
        ArrowException, KeyError, ValueError: a column is missing, of another type, or null where it cannot be.
    """
    if rows.schema.equals(schema, check_metadata=True):
        return rows
    for field in schema:
        if field.name not in rows.column_names and field.nullable:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows.select(schema.names).cast(schema)


def _checked(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in this schema, as `in_schema` does.

    Raises:
        ArrowException, KeyError, ValueError: as `in_schema`, or a column has a word that is unknown there.
    """
    rows = in_schema(rows, schema)
    for wrong in unknown_words(rows):
        raise ValueError(wrong)
    return rows


def read_row(path: Path, name: str, number: int, columns: Sequence[str]) -> pa.Table:
    """Return one row of a Parquet file, the columns given; nothing outside its row group is read.

    Args:
        path: the file.
        name: name of its table.
        number: the row, counted from 0 over all row groups.
        columns: the columns to read.

    Raises:
        DatasetError: the file is damaged, is gone, or has no such row; the message names it.
    """
    try:
        with open_parquet(path) as file:
            first = 0
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                if number < first + n_rows:
                    row = file.read_row_group(group, columns=list(columns)).slice(number - first, 1)
                    return _checked(row, _schema_of(name, columns))
                first += n_rows
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise DatasetError(f"{path}: row {number} cannot be read: {error}; open the dataset anew") from error
    raise DatasetError(f"{path}: it has {first} rows and no row {number}; open the dataset anew")


def _schema_of(name: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = TABLES[name].arrow_schema()
    return schema if columns is None else pa.schema([schema.field(column) for column in columns])
