"""Parquet files on local disks and object stores, read through PyArrow."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
from pyarrow import PythonFile
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from foundation.storage.locations import is_remote, remote_of

__all__ = ["arrow_rows", "open_parquet", "read_parquet"]


def _source(path: Path) -> tuple[str, FileSystem | None]:
    """Return the name of a file and the file system in which PyArrow finds it; None for a local one.

    PyArrow fetches only the ranges that it needs, and joins ranges that lie close together.
    """
    if not is_remote(path):
        return str(path), None
    remote = remote_of(path)
    return remote.path, PyFileSystem(_ByRanges(remote.fs))


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
    name, system = _source(path)
    return pq.ParquetFile(name, metadata=footer, filesystem=system, pre_buffer=system is not None)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file, local or remote, or the given columns of them.

    Raises:
        ArrowException, OSError: the file is damaged, or cannot be read.
    """
    names = None if columns is None else list(columns)
    name, system = _source(path)
    return pq.read_table(name, columns=names, filesystem=system, partitioning=None)


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
    names, systems = zip(*map(_source, files), strict=True)
    return arrow_dataset.dataset(list(names), schema=schema, format="parquet", filesystem=systems[0])
