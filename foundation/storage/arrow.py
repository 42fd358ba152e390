"""Parquet files on local disks and object stores, read through PyArrow, and no more of them than memory allows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
from pyarrow import PythonFile
from pyarrow.fs import FSSpecHandler, PyFileSystem

from foundation.storage.locations import is_remote, remote_of
from foundation.storage.parquet_bounds import (
    MOST_OF_GROUP,
    CheckedStream,
    ParquetFooter,
    ScannedStream,
    most_of_file,
    read_footer,
    require,
)

__all__ = ["BoundedParquetFile", "ParquetFooter", "arrow_rows", "open_parquet", "read_parquet"]


class BoundedParquetFile(pq.ParquetFile):  # type: ignore[misc] # PyArrow has no types
    """A Parquet file that refuses to decode more than an honest file has; whatever is read is checked first.

    Attributes:
        footer: its footer, with which it can be opened again.
    """

    def __init__(self, path: Path, footer: ParquetFooter | None = None) -> None:
        """Open a file; see `open_parquet`."""
        self._name = str(path)
        self._checked: CheckedStream | None = None
        if is_remote(path):
            remote = remote_of(path)
            self._checked = CheckedStream(remote.fs.open(remote.path, mode="rb", cache_type="none"), self._name)
            self._bytes = PythonFile(self._checked, mode="r")
        else:
            self._bytes = pa.OSFile(self._name)
        known = None if footer is None else footer.metadata
        super().__init__(self._bytes, metadata=known, pre_buffer=self._checked is not None)
        self.footer = read_footer(self.metadata) if footer is None else footer

    def close(self, force: bool = False) -> None:
        """Close the file."""
        super().close(force)
        self._bytes.close()

    def read(self, columns: Sequence[str] | None = None, **options: object) -> pa.Table:
        """Return all rows, or the given columns of them.

        Raises:
            OversizedError: they would take more memory than is possible for an honest file of its size.
        """
        self.require_all(columns)
        return super().read(columns, **options)

    def read_row_group(self, i: int, columns: Sequence[str] | None = None, **options: object) -> pa.Table:
        """Return the rows of a row group; see `read`."""
        self._require([i], columns, MOST_OF_GROUP)
        return super().read_row_group(i, columns, **options)

    def iter_batches(
        self, batch_size: int, columns: Sequence[str] | None = None, **options: object
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches, which end with each row group; see `read`."""
        for number in range(self.num_row_groups):
            self._require([number], columns, MOST_OF_GROUP)
            yield from super().iter_batches(batch_size, row_groups=[number], columns=columns, **options)

    def require_all(self, columns: Sequence[str] | None) -> None:
        """Refuse to read columns of all rows that would take too much memory; see `read`."""
        most = most_of_file(self._bytes.size(), self.footer.n_leaves(columns))
        self._require(range(self.num_row_groups), columns, most)

    def _require(self, groups: Iterable[int], columns: Sequence[str] | None, most: int) -> None:
        chunks = self.footer.chunks(groups, columns)
        if self._checked is None:
            require(self._bytes, chunks, most, self._name)
        else:
            self._checked.expect(chunks, most)


def open_parquet(path: Path, footer: ParquetFooter | None = None) -> BoundedParquetFile:
    """Open a Parquet file, local or remote; of a remote one only the ranges that are read are fetched.

    Args:
        path: the file.
        footer: its `footer` from an earlier opening, so that it is not read again.

    Raises:
        ArrowException, OSError: the file is damaged, or cannot be read.
    """
    return BoundedParquetFile(path, footer)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file, local or remote, or the given columns of them.

    Raises:
        ArrowException, OSError: the file is damaged, cannot be read, lacks a column, or would take more memory than is
            possible for an honest file of its size.
    """
    with open_parquet(path) as file:
        rows = file.read(columns)
    if columns is None:
        return rows
    if missing := sorted(set(columns).difference(rows.column_names)):
        raise pa.ArrowInvalid(f"{path}: it has no column {', '.join(missing)}")
    return rows.select(list(columns))


def arrow_rows(files: Sequence[Path], schema: pa.Schema) -> arrow_dataset.Dataset:
    """Return the rows of Parquet files as a PyArrow dataset, which reads them on demand.

    What is read of a file is held against the same bounds as in `read_parquet`.

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
