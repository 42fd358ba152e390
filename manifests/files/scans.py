"""Rows of Parquet files that PyArrow and DuckDB scan on demand, held against the bounds of honest files.

PyArrow's datasets load pandas, which takes a quarter of a second: import this module where rows are scanned.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler, PyFileSystem

from foundation.storage.arrow import open_parquet
from foundation.storage.locations import is_remote, remote_of
from foundation.storage.parquet_bounds import ScannedStream

__all__ = ["arrow_rows"]


def arrow_rows(files: Sequence[Path], schema: pa.Schema) -> arrow_dataset.Dataset:
    """Return the rows of Parquet files as a PyArrow dataset, which reads them on demand.

    What is read of a file is held against the same bounds as in `foundation.storage.arrow.read_parquet`.

    Args:
        files: the files, all local or all in one store.
        schema: columns of the rows.

    Raises:
        OSError: a file cannot be found.
    """
    if not files:  # the factory needs at least one file
        return arrow_dataset.FileSystemDataset([], schema, arrow_dataset.ParquetFileFormat())
    if not is_remote(files[0]):
        names = [str(path) for path in files]
        return _BoundedRows(arrow_dataset.dataset(names, schema=schema, format="parquet"), files)
    remotes = [remote_of(path) for path in files]
    store = _Store(remotes[0].fs)
    names, system = [remote.path for remote in remotes], PyFileSystem(store)
    return _BoundedRows(arrow_dataset.dataset(names, schema=schema, format="parquet", filesystem=system), (), store)


class _Store(FSSpecHandler):  # type: ignore[misc] # PyArrow has no types
    """A store in which PyArrow opens files by itself, and fetches only the ranges that it needs."""

    columns: tuple[str, ...] = ()
    """Columns that are checked as they are read."""

    def open_input_file(self, name: str) -> PythonFile:
        stream = self.fs.open(name, mode="rb", cache_type="none")
        return PythonFile(ScannedStream(stream, name, self.columns), mode="r")


class _BoundedRows(arrow_dataset.FileSystemDataset):  # type: ignore[misc] # PyArrow has no types
    """Rows of Parquet files that are checked before they are scanned. PyArrow and DuckDB scan through `scanner`."""

    def __init__(
        self, rows: arrow_dataset.FileSystemDataset, files: Sequence[Path], store: _Store | None = None
    ) -> None:
        """Take over the rows of local files, or of files in a store."""
        super().__init__(list(rows.get_fragments()), rows.schema, rows.format, rows.filesystem)
        self._paths, self._store, self._condition = files, store, ""

    def filter(self, expression: object) -> "_BoundedRows":
        """Return the same rows without those for which an expression is not true."""
        rows: _BoundedRows = super().filter(expression)
        rows._paths, rows._store, rows._condition = self._paths, self._store, f"{self._condition} {expression}"
        return rows

    def scanner(
        self,
        columns: Sequence[str] | Mapping[str, object] | None = None,
        filter: object = None,  # noqa: A002 - as the base class has it
        **options: object,
    ) -> arrow_dataset.Scanner:
        """Return a scanner of columns, whose names or expressions are given, and of rows.

        Raises:
            OversizedError: the columns would take more memory than is possible for honest files of their size.
        """
        names = self.schema.names
        if columns is not None:
            expressions = columns.values() if isinstance(columns, Mapping) else columns
            asked = " ".join(map(str, (*expressions, filter, self._condition)))
            names = [name for name in names if name in asked]
        for path in self._paths:
            with open_parquet(path) as file:
                file.require_all(names)
        if self._store is not None:
            self._store.columns = tuple({*self._store.columns, *names})
        return super().scanner(columns=columns, filter=filter, **options)
