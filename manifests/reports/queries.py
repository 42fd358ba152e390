"""SQL queries over a dataset's tables with DuckDB, restricted to the dataset.

DuckDB may not access any file, local or remote: PyArrow reads the Parquet files and passes the rows on. Access to the
dataset's folder would let `COPY ... TO` overwrite the dataset.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as arrow_dataset

from foundation.errors import UsageError
from foundation.json_text import json_text
from foundation.storage.arrow import arrow_rows
from foundation.text import text_table
from manifests.files.tables import table_files
from manifests.packing.one_state import in_one_state
from manifests.schema.columns import Table
from manifests.schema.tables import TABLES
from manifests.schema.videos import VIDEOS

__all__ = ["VIEWS", "QueryError", "Result", "connect", "query"]

VIEWS = (*TABLES, "drops")
"""Names of the views for queries."""

_DROPS = """
CREATE VIEW drops AS
SELECT v.source, s.*, (s.end_s - s.start_s) / 3600 AS hours
FROM spans s JOIN videos v ON v.video_id = s.video_id AND v.duplicate_of IS NULL
WHERE s.outcome <> 'kept'
"""


class QueryError(UsageError):
    """A query cannot be run; the message says why and lists the views."""


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]

    def __str__(self) -> str:
        return self.text()

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table; its `to_pandas` makes a data frame."""
        values = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return pa.Table.from_arrays([pa.array(list(column)) for column in values], names=list(self.columns))

    def text(self) -> str:
        """Return the rows in aligned columns."""
        cells = [["" if value is None else str(value) for value in row] for row in self.rows]
        numeric = [
            all(row[i] is None or isinstance(row[i], int | float) for row in self.rows)
            for i in range(len(self.columns))
        ]
        return text_table(self.columns, cells, numeric=numeric)

    def json(self) -> str:
        """Return the rows as a JSON list of objects.

        Numbers that are infinite or not a number are null, and values without a JSON type are text.
        """
        return json_text([dict(zip(self.columns, row, strict=True)) for row in self.rows], indent=2)


def connect(dataset: Path, hidden: frozenset[str] = frozenset()) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with a view per table, and `drops`: the dropped spans with `source` and `hours`.

    float16 columns appear as FLOAT, since DuckDB has no half precision. The connection has no access to other files,
    the network or extensions, and its settings cannot be changed. Rows of the videos `hidden` are left out.
    """
    connection = duckdb.connect(
        config={
            "enable_external_access": False,
            "python_enable_replacements": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "temp_directory": "",
        }
    )
    for table in TABLES.values():
        rows = _rows(dataset, table)
        if hidden and table is not VIDEOS:
            rows = rows.filter(~arrow_dataset.field("video_id").isin(sorted(hidden)))
        connection.register(table.name, rows)
    connection.execute(_DROPS)
    connection.execute("SET lock_configuration = true")
    return connection


def query(dataset: Path, sql: str) -> Result:
    """Run one or more statements and return the rows of the last.

    Raises:
        DatasetError: `dataset` is no dataset.
        QueryError: the SQL is wrong, or refers to something outside the dataset.
        ChangingDatasetError: a command has begun to remove what could be asked for.
    """
    return in_one_state(dataset, lambda hidden: _answer(dataset, sql, hidden))


def _answer(dataset: Path, sql: str, hidden: frozenset[str]) -> Result:
    with connect(dataset, hidden) as connection:
        try:
            cursor = connection.execute(sql)
            if cursor is None:  # nothing but space and comments
                raise QueryError(f"{sql!r} holds no SQL statement\nThe views are: {', '.join(VIEWS)}.")
            columns = tuple(column[0] for column in cursor.description or ())
            return Result(columns, cursor.fetchall() if columns else [])
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise QueryError(f"{error}\nThe views are: {', '.join(VIEWS)}.") from error


def _rows(dataset: Path, table: Table) -> arrow_dataset.Dataset:
    schema = pa.schema([pa.field(column.name, _readable(column.type)) for column in table.columns])
    return arrow_rows(table_files(dataset, table.name), schema)


def _readable(data_type: pa.DataType) -> pa.DataType:
    """Return a type with float32 in place of float16, which DuckDB 2.0 does not accept from Arrow."""
    if pa.types.is_float16(data_type):
        return pa.float32()
    if pa.types.is_fixed_size_list(data_type):
        return pa.list_(_readable(data_type.value_type), data_type.list_size)
    if pa.types.is_list(data_type):
        return pa.list_(_readable(data_type.value_type))
    if pa.types.is_struct(data_type):
        return pa.struct([pa.field(field.name, _readable(field.type)) for field in data_type])
    return data_type
