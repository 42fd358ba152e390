"""Parquet files on local disks and object stores, read through PyArrow, and no more of them than memory allows."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import PythonFile

from foundation.storage.locations import is_remote, remote_of
from foundation.storage.parquet_bounds import (
    MOST_OF_GROUP,
    CheckedStream,
    ParquetFooter,
    most_of_file,
    read_footer,
    require,
)

__all__ = ["BoundedParquetFile", "ParquetFooter", "open_parquet", "read_parquet"]


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
