"""Validation of the schema of a dataset's files: the columns that its record describes, and no others."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import open_parquet
from manifests.files.tables import table_files
from manifests.record import DatasetRecord
from manifests.reports.validate_clips import Problem
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Column, Table
from manifests.schema.tables import TABLES

__all__ = ["columns_of", "schema_problems"]

_RUN_AGAIN = "run the curation again"


def schema_problems(dataset: Path, record: DatasetRecord) -> Iterator[Problem]:
    """Yield the files that cannot be read, or have other columns than the record describes."""
    for table in TABLES.values():
        columns = columns_of(table, record)
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
            # a command that adds columns rewrites only the files that it has something for
            expected = pa.schema([c.field for c in columns if c.name in found.names or not c.later])
            if not found.equals(expected):
                differing = [name for name in expected.names if name not in found.names] + [
                    field.name
                    for field in found
                    if field.name not in expected.names or field != expected.field(field.name)
                ]
                what = f"schema differs in {', '.join(differing) or 'the order of the columns'}"
                yield Problem(file=file, row="", what=what, remedy=f"remove it and {_RUN_AGAIN}")


def columns_of(table: Table, record: DatasetRecord) -> list[Column]:
    """Return the columns of a table, without those that came after the dataset was made: they read as null."""
    recorded = record.tables.get(table.name)
    if recorded is None and table.later:
        return []
    names = set() if recorded is None else {column.name for column in recorded.columns}
    return [column for column in table.columns if column.name in names or not column.nullable or recorded is None]
