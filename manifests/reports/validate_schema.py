"""Validation of schemas: the columns of every file, and their description in `dataset.json`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import open_parquet
from manifests.files.tables import table_files
from manifests.record import ColumnRecord, DatasetRecord, TableRecord, describe_tables
from manifests.reports.validate_clips import Problem
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Column, Table
from manifests.schema.tables import TABLES

__all__ = ["describes_schema", "schema_problems"]

_RUN_AGAIN = "run the curation again"


def schema_problems(dataset: Path, record: DatasetRecord) -> Iterator[Problem]:
    """Yield a problem for each file that cannot be read, or has another schema than it should have."""
    for table in TABLES.values():
        columns = _columns_of(table, record)
        for path in table_files(dataset, table.name):
            file = f"{table.name}/{path.name}"
            try:
                with open_parquet(path) as parquet:
                    found = parquet.schema_arrow
                    rows = parquet.read([table.columns[0].name])
                    if table is not CLIPS:  # whose rows are checked as they are read
                        parquet.require_all(None)
                rows.validate(full=True)
            except (pa.ArrowException, OSError) as error:
                yield Problem(file=file, row="", what=f"cannot be read: {error}", remedy=f"remove it and {_RUN_AGAIN}")
                continue
            expected = _schema_in(found, table, columns)
            if not found.equals(expected):
                differing = [name for name in expected.names if name not in found.names] + [
                    field.name
                    for field in found
                    if field.name not in expected.names or field != expected.field(field.name)
                ]
                what = f"schema differs in {', '.join(differing) or 'the order of the columns'}"
                yield Problem(file=file, row="", what=what, remedy=f"remove it and {_RUN_AGAIN}")


def _schema_in(found: pa.Schema, table: Table, columns: Sequence[Column]) -> pa.Schema:
    """Return the schema that a file should have: of columns that came later, those that it has.

    Args:
        found: schema of the file.
        table: its table.
        columns: columns that every file of the dataset should have, where they did not come later.
    """
    later = {column.name for declared in TABLES.values() for column in declared.columns if column.later}
    names = {column.name for column in columns} - later | set(found.names)
    fields = [column.field for column in table.columns if column.name in names]
    return pa.schema(
        [
            field.with_type(_type_in(found.field(field.name).type, field.type, later))
            if field.name in found.names
            else field
            for field in fields
        ]
    )


def _type_in(found: pa.DataType, declared: pa.DataType, later: Collection[str]) -> pa.DataType:
    """Return a declared type without the fields of its structs that came later and are not in the type found."""
    if pa.types.is_list(declared) and pa.types.is_list(found):
        return pa.list_(_type_in(found.value_type, declared.value_type, later))
    if pa.types.is_struct(declared) and pa.types.is_struct(found):
        present = {field.name for field in found}
        return pa.struct([field for field in declared if field.name in present or field.name not in later])
    return declared


def _columns_of(table: Table, record: DatasetRecord) -> list[Column]:
    """Return the columns of a table, without those that came after the dataset was made: they read as null."""
    recorded = record.tables.get(table.name)
    if recorded is None and table.later:
        return []
    names = set() if recorded is None else {column.name for column in recorded.columns}
    return [column for column in table.columns if column.name in names or not column.nullable or recorded is None]


def describes_schema(record: DatasetRecord) -> bool:
    """Return whether the tables of a record are those of this schema version, apart from columns that came later."""
    described = {
        name: table.model_copy(update={"columns": tuple(c for c in table.columns if c.name in known)})
        for name, table in describe_tables().items()
        if (known := {column.name for column in _columns_of(TABLES[name], record)})
    }
    return _without_meanings(record.tables) == _without_meanings(described)


def _without_meanings(tables: Mapping[str, TableRecord]) -> dict[str, tuple[ColumnRecord, ...]]:
    """Return the columns of each table without their meanings, which may be reworded within a schema version."""
    return {
        name: tuple(column.model_copy(update={"meaning": ""}) for column in table.columns)
        for name, table in tables.items()
    }
