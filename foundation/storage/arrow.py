"""Parquet files on local disks and object stores, read through PyArrow."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
from pyarrow import PythonFile
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from foundation.storage.locations import is_remote, remote_of

__all__ = ["arrow_file_system", "arrow_path", "arrow_rows", "open_parquet", "read_parquet"]


def arrow_path(path: Path) -> str:
    """Return the name of a file in `arrow_file_system`."""
    return remote_of(path).path if is_remote(path) else str(path)


def arrow_file_system(path: Path) -> FileSystem | None:
    """Return the file system in which PyArrow finds a file; None for a local one.

    PyArrow fetches only the ranges that it needs, and joins ranges that lie close together.
    """
    if not is_remote(path):
        return None
    return PyFileSystem(_ByRanges(remote_of(path).fs))


class _ByRanges(FSSpecHandler):  # type: ignore[misc] # PyArrow has no types
    def open_input_file(self, name: str) -> PythonFile:
        return PythonFile(self.fs.open(name, mode="rb", cache_type="none"), mode="r")


def open_parquet(path: Path, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """Open a Parquet file, local or remote; of a remote one only the ranges that are read are fetched.

    Args:
        path: the file.
        footer: its `metadata` from an earlier opening, so that it is not read again.

    Raises:
        ArrowException, OSError: the file is damaged, or cannot be read.
    """
    return pq.ParquetFile(
        arrow_path(path), metadata=footer, filesystem=arrow_file_system(path), pre_buffer=is_remote(path)
    )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file, local or remote, or the given columns of them.

    Raises:
        ArrowException, OSError: the file is damaged, or cannot be read.
    """
    names = None if columns is None else list(columns)
    return pq.read_table(arrow_path(path), columns=names, filesystem=arrow_file_system(path), partitioning=None)


def arrow_rows(files: Sequence[Path], schema: pa.Schema) -> arrow_dataset.Dataset:
    """Return the rows of Parquet files as a PyArrow dataset, which reads them on demand.

    Args:
        files: the files, all local or all in one store.
        schema: columns of the rows.

    Raises:
        OSError: a file cannot be found.
    """
    if not files:  # the factory needs at least one file
        return arrow_dataset.FileSystemDataset([], schema, arrow_dataset.ParquetFileFormat())
    return arrow_dataset.dataset(
        [arrow_path(path) for path in files],
        schema=schema,
        format="parquet",
        filesystem=arrow_file_system(files[0]),
    )
