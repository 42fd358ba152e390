"""Files on any storage as PyArrow reads them."""

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
    """Return what the file is called in `arrow_file_system`."""
    return remote_of(path).path if is_remote(path) else str(path)


def arrow_file_system(path: Path) -> FileSystem | None:
    """Return the file system in which PyArrow finds a file; None for a local one.

    PyArrow asks for the ranges that it needs, joins near ones, and gets no others.
    """
    if not is_remote(path):
        return None
    return PyFileSystem(_ByRanges(remote_of(path).fs))


class _ByRanges(FSSpecHandler):  # type: ignore[misc] # PyArrow has no types
    def open_input_file(self, name: str) -> PythonFile:
        return PythonFile(self.fs.open(name, mode="rb", cache_type="none"), mode="r")


def open_parquet(path: Path, footer: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """Open a Parquet file wherever it lies; of a remote one only the ranges that are asked for are fetched.

    Args:
        path: the file.
        footer: its `metadata` from an earlier opening, so that it is not read again.

    Raises:
        ArrowException, OSError: it is damaged, or cannot be read.
    """
    return pq.ParquetFile(
        arrow_path(path), metadata=footer, filesystem=arrow_file_system(path), pre_buffer=is_remote(path)
    )


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a Parquet file wherever it lies, or the given columns of them.

    Raises:
        ArrowException, OSError: it is damaged, or cannot be read.
    """
    names = None if columns is None else list(columns)
    return pq.read_table(arrow_path(path), columns=names, filesystem=arrow_file_system(path), partitioning=None)


def arrow_rows(files: Sequence[Path], schema: pa.Schema) -> arrow_dataset.Dataset:
    """Return the rows of Parquet files, which lie in one place, as a dataset of PyArrow that reads when it is asked.

    Raises:
        OSError: a file cannot be found.
    """
    if not files:  # a dataset without parts has to be made this way, for the factory would look for one
        return arrow_dataset.FileSystemDataset([], schema, arrow_dataset.ParquetFileFormat())
    return arrow_dataset.dataset(
        [arrow_path(path) for path in files],
        schema=schema,
        format="parquet",
        filesystem=arrow_file_system(files[0]),
    )
