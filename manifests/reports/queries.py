"""SQL queries over a dataset's tables with DuckDB, restricted to the dataset.

DuckDB may not access any file, local or remote: PyArrow reads the Parquet files and passes the rows on. Access to the
dataset's folder would let `COPY ... TO` overwrite the dataset.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as arrow_dataset

from foundation.errors import UsageError
from foundation.json_text import json_text
from foundation.process_memory import resident_bytes
from foundation.text import text_table
from manifests.files.scans import arrow_rows
from manifests.files.tables import table_files
from manifests.packing.one_state import Counted, in_one_state
from manifests.query_limits import QUERY_MEMORY_GIB, QUERY_TIMEOUT_S
from manifests.schema.columns import Table
from manifests.schema.tables import TABLES
from manifests.schema.videos import VIDEOS

__all__ = ["VIEWS", "QueryError", "QueryLimitError", "QueryLimits", "Result", "connect", "query"]

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

    several_lines = True


class QueryLimitError(QueryError):
    """A query takes more time or memory than it may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryLimits:
    """What a query may take. A condition of a stranger, or a join that was forgotten, would else take all there is."""

    timeout_s: float = QUERY_TIMEOUT_S
    """Seconds until it is stopped."""
    memory_gib: float = QUERY_MEMORY_GIB
    """Memory of the database, GiB; the rows of the answer may take a quarter of it, since printing copies them."""

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.memory_gib >= _MIN_MEMORY_GIB):
            raise QueryError(
                f"a query cannot be given {self.timeout_s:g} s and {self.memory_gib:g} GiB; give more than 0 s and at "
                f"least {_MIN_MEMORY_GIB:g} GiB"
            )


_MIN_MEMORY_GIB = 0.0625
"""DuckDB does little with less."""

_DEFAULT_LIMITS = QueryLimits()

_MORE_TIME = "raise the limit of time: --sql-timeout-s, timeout_s of Dataset.query, data.where_timeout_s in training"

_MORE_MEMORY = (
    "raise the limit of memory: --sql-memory-gib, memory_gib of Dataset.query, data.where_memory_gib in training"
)

_SMALL_STEP = 16 << 20
"""Bytes by which memory may grow with the rows fetched at a time, roughly."""

_MAX_ROWS_AT_A_TIME = 8192

_REPEAT_S = 0.2
"""Seconds between two requests to stop: one that comes between two statements is lost."""


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


def connect(dataset: Path, memory_gib: float = QUERY_MEMORY_GIB, counted: Counted = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with a view per table, and `drops`: the dropped spans with `source` and `hours`.

    float16 columns appear as FLOAT, since DuckDB has no half precision. The connection has no access to other files,
    the network or extensions, and its settings cannot be changed. Only rows of the videos `counted` are in them.
    """
    connection = duckdb.connect(
        config={
            "enable_external_access": False,
            "python_enable_replacements": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "temp_directory": "",
            "memory_limit": f"{round(memory_gib * 1024)}MiB",
        }
    )
    for table in TABLES.values():
        rows = _rows(dataset, table)
        if counted is not None and table is not VIDEOS:
            rows = rows.filter(arrow_dataset.field("video_id").isin(sorted(counted)))
        connection.register(table.name, rows)
    connection.execute(_DROPS)
    connection.execute("SET lock_configuration = true")
    return connection


def query(dataset: Path, sql: str, limits: QueryLimits = _DEFAULT_LIMITS) -> Result:
    """Run one or more statements and return the rows of the last.

    Raises:
        DatasetError: `dataset` is no dataset.
        QueryError: the SQL is wrong, refers to something outside the dataset, or takes more than `limits`.
        ChangingDatasetError: a command has begun to remove what could be asked for.
    """
    return in_one_state(dataset, lambda counted: _asked(dataset, sql, limits, counted))


def _asked(dataset: Path, sql: str, limits: QueryLimits, counted: Counted) -> Result:
    with connect(dataset, limits.memory_gib, counted) as connection:
        try:
            with _stopped_after(connection, limits.timeout_s):
                return _answer(connection, sql, limits)
        except duckdb.InterruptException as error:
            raise _too_slow(limits) from error
        except (duckdb.OutOfMemoryException, pa.ArrowMemoryError, MemoryError) as error:
            raise QueryLimitError(
                f"the query needs more than {limits.memory_gib:g} GiB; narrow it, or {_MORE_MEMORY}"
            ) from error
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
            raise QueryError(f"{error}\nThe views are: {', '.join(VIEWS)}.") from error
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise QueryError(str(error)) from error


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, limits: QueryLimits) -> Result:
    """Run statements and return the rows of the last, which are fetched a few at a time.

    Raises:
        QueryError: there is no statement, or the rows take more than a quarter of the memory or all of the time.
        duckdb.Error: the SQL is wrong, or was stopped.
    """
    deadline = time.monotonic() + limits.timeout_s
    cursor = connection.execute(sql)
    if cursor is None:  # nothing but space and comments
        raise QueryError(f"{sql!r} holds no SQL statement\nThe views are: {', '.join(VIEWS)}.")
    columns = tuple(column[0] for column in cursor.description or ())
    rows: list[tuple[object, ...]] = []
    before, n_rows = resident_bytes(), 1
    resident = before
    while columns and (fetched := connection.fetchmany(n_rows)):
        rows += fetched
        if time.monotonic() > deadline:
            raise _too_slow(limits)
        last, resident = resident, resident_bytes()
        if resident - before > limits.memory_gib * (1 << 30) / 4:
            raise QueryLimitError(
                f"the answer has more than {len(rows):,} rows, too many to hold; add a condition or a LIMIT, or "
                f"{_MORE_MEMORY}"
            )
        n_rows = min(2 * n_rows, _MAX_ROWS_AT_A_TIME) if resident - last < _SMALL_STEP else max(1, n_rows // 2)
    return Result(columns, rows)


def _too_slow(limits: QueryLimits) -> QueryLimitError:
    return QueryLimitError(f"the query took longer than {limits.timeout_s:g} s; narrow it, or {_MORE_TIME}")


@contextmanager
def _stopped_after(connection: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    """Interrupt what a connection does in the block once `timeout_s` have passed."""
    ended = threading.Event()

    def interrupt() -> None:
        wait_s = timeout_s
        while not ended.wait(wait_s):
            connection.interrupt()
            wait_s = _REPEAT_S

    watch = threading.Thread(target=interrupt, name="query time limit", daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()


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
