"""Files on any storage as PyArrow reads them."""

from pathlib import Path

from pyarrow import PythonFile
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from manifests.storage import is_remote, remote_of

__all__ = ["arrow_file_system", "arrow_path"]


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
