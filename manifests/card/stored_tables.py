"""Tables as the files of a dataset hold them: their columns, and the true shapes of arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import read_table, table_files
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Column, Table
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES

__all__ = ["StoredColumn", "StoredTable", "stored_tables"]

_LOOKS = 50
"""Row groups in which the size of an array is looked for."""

_DESCRIBED_BY = {"landmarks": "landmark_scheme", "speech_features": "speech_encoder"}
"""Column that names what the size of an array depends on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredColumn:
    """Column that at least one file of a table has."""

    declared: Column
    type: pa.DataType
    """Type in the files; where they differ, the one with the most fields."""
    shape: tuple[int, ...]
    """Shape of a row's value, -1 where it differs between rows; empty for one value, and for structs."""

    @property
    def has_structs(self) -> bool:
        """Whether the values are lists of structs."""
        return "struct" in str(self.type)

    @property
    def element(self) -> pa.DataType:
        """Type of one number or text."""
        return _levels(self.type)[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTable:
    """Table with rows."""

    table: Table
    columns: tuple[StoredColumn, ...]
    """In the order of the declaration."""


def stored_tables(dataset: Path) -> dict[str, StoredTable]:
    """Return the tables of a dataset that have rows, by name.

    Raises:
        DatasetError: a file is damaged.
    """
    found = {}
    for table in TABLES.values():
        schemas, n_rows = [], 0
        for path in table_files(dataset, table.name):
            try:
                with open_parquet(path) as file:
                    schemas.append(file.schema_arrow)
                    n_rows += file.metadata.num_rows
            except (pa.ArrowException, OSError) as error:
                raise DatasetError(f"{path} cannot be read: {error}; run the curation again") from error
        if n_rows:
            found[table.name] = StoredTable(table=table, columns=tuple(_columns(dataset, table, schemas)))
    return found


def _columns(dataset: Path, table: Table, schemas: Sequence[pa.Schema]) -> Iterator[StoredColumn]:
    for column in table.columns:
        types = [schema.field(column.name).type for schema in schemas if column.name in schema.names]
        if types:
            data_type = max(types, key=lambda one: str(one).count(":"))
            yield StoredColumn(declared=column, type=data_type, shape=_shape(dataset, table, column, data_type))


def _shape(dataset: Path, table: Table, column: Column, data_type: pa.DataType) -> tuple[int, ...]:
    """Return the sizes of a value: those that the type fixes, and of the others all but the first, from a row."""
    sizes, element = _levels(data_type)
    if not sizes or pa.types.is_struct(element) or -1 not in sizes:
        return () if pa.types.is_struct(element) else tuple(sizes)
    of_ticks = "N" in column.shape or "C" in column.shape
    if table in (CLIPS, FRAMES) and _is_of_one_kind(dataset, table, column.name):
        measured = _first_shape(dataset, table, column)
        if measured is not None:
            return (-1 if of_ticks else measured[0], *measured[1:])
    return tuple(sizes)


def _is_of_one_kind(dataset: Path, table: Table, name: str) -> bool:
    described_by = _DESCRIBED_BY.get(name)
    if described_by is None or table is FRAMES:
        return True
    return len(set(read_table(dataset, table.name, [described_by])[described_by].to_pylist()) - {None}) <= 1


def _first_shape(dataset: Path, table: Table, column: Column) -> tuple[int, ...] | None:
    looks = 0
    for path in table_files(dataset, table.name):
        try:
            with open_parquet(path) as file:
                if column.name not in file.schema_arrow.names:
                    continue
                for group in range(file.num_row_groups):
                    if looks == _LOOKS:
                        return None
                    looks += 1
                    arrays = numpy_of(file.read_row_group(group, columns=[column.name])[column.name])
                    shape = next((array.shape for array in arrays if array is not None), None)
                    if shape is not None:
                        return shape
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DatasetError(f"{path}: column {column.name}: {error}; run the curation again") from error
    return None


def _levels(data_type: pa.DataType) -> tuple[list[int], pa.DataType]:
    sizes = []
    while pa.types.is_list(data_type) or pa.types.is_fixed_size_list(data_type):
        sizes.append(data_type.list_size if pa.types.is_fixed_size_list(data_type) else -1)
        data_type = data_type.value_type
    return sizes, data_type
