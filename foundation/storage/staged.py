"""Staged files: several files that appear under their names together, once all of them are on disk.

A local file is written to a hidden file in the same folder and flushed. When all files are flushed, they are renamed
stage by stage, and the folders of each stage are flushed before the next begins, so that after a crash no file refers
to one that is not there. A remote object is uploaded in one piece when its stage is reached.
"""

import glob
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from foundation.storage.locations import IN_MEMORY_BYTES, is_remote, put

__all__ = ["StagedFiles", "flush", "remove_unfinished"]


def _hidden_name(path: Path, process: int | str) -> str:
    """Return the name under which a process writes a file."""
    return f".{path.name}.{process}.part"


class _LocalFile:
    """Local file that is written under a hidden name."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._hidden = path.with_name(_hidden_name(path, os.getpid()))
        self._hidden.unlink(missing_ok=True)  # of a process before that had this number; a link is not followed
        self.stream: BinaryIO = self._hidden.open("xb")

    @property
    def folder(self) -> Path:
        """Folder of the file."""
        return self._path.parent

    def flush(self) -> None:
        """Write the content to disk."""
        os.fsync(self.stream.fileno())
        self.stream.close()

    def place(self) -> None:
        """Rename the file to its own name."""
        self._hidden.replace(self._path)

    def discard(self) -> None:
        """Remove the hidden file, if it was not renamed."""
        with suppress(OSError):  # a full disk, which the writer has already reported
            self.stream.close()
        self._hidden.unlink(missing_ok=True)


class _RemoteFile:
    """Remote object before its upload, held in memory, or in a temporary file if it is large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed in `discard`
        self.stream = cast("BinaryIO", content)

    def place(self) -> None:
        """Upload the object."""
        put(self._path, self.stream)

    def discard(self) -> None:
        """Close the buffer."""
        self.stream.close()


@dataclass(frozen=True, slots=True)
class _Stage:
    """Files of one stage, which are renamed in any order."""

    local: list[_LocalFile] = field(default_factory=list)
    remote: list[_RemoteFile] = field(default_factory=list)

    def add(self, path: Path) -> _LocalFile | _RemoteFile:
        """Open a new file of this stage."""
        if is_remote(path):
            self.remote.append(_RemoteFile(path))
            return self.remote[-1]
        self.local.append(_LocalFile(path))
        return self.local[-1]

    def place(self) -> None:
        """Rename or upload all files, and make the renames durable."""
        for file in self.local:
            file.place()
        for folder in dict.fromkeys(file.folder for file in self.local):
            flush(folder)
        # An upload is mostly waiting, so uploads run side by side. Renames are too short for threads to pay off.
        with ThreadPoolExecutor() as threads:
            for upload in [threads.submit(file.place) for file in self.remote]:
                upload.result()

    def discard(self) -> None:
        """Remove the files that were not renamed or uploaded."""
        for file in self.local:
            file.discard()
        self.close()

    def close(self) -> None:
        """Close the buffers of uploads; a local file is closed when it is flushed."""
        for upload in self.remote:
            upload.discard()


class StagedFiles:
    """Files that belong together: at the end of the `with` block all of them appear, after an error none does."""

    def __init__(self) -> None:
        """Open the first stage."""
        self._stages = [_Stage()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                for stage in self._stages:
                    for file in stage.local:
                        file.flush()
                for stage in self._stages:
                    stage.place()
            except BaseException:
                self._discard()
                raise
            for stage in self._stages:
                stage.close()
        else:
            self._discard()

    def _discard(self) -> None:
        for stage in self._stages:
            stage.discard()

    def next_stage(self) -> None:
        """Begin a stage: its files appear after those of the stages before it are durable."""
        self._stages.append(_Stage())

    @contextmanager
    def replacing(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that will replace `path`; a missing folder is created."""
        file = self._stages[-1].add(path)
        yield file.stream
        file.stream.flush()


def remove_unfinished(path: Path) -> None:
    """Remove what processes that were killed have left of a local file; for its only writer.

    Raises:
        OSError: it cannot be removed.
    """
    if not is_remote(path):  # an object appears whole
        for hidden in path.parent.glob(_hidden_name(Path(glob.escape(path.name)), "*")):
            hidden.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Make the content of a local file durable, or the renames within a local folder (fsync).

    Raises:
        OSError: it cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
