"""Files that take their places once all of them are on disk, stage after stage.

A local file is written beside its place under a name that begins with a dot, and flushed. When all are, the stages are
renamed in their order, and the folders of each are flushed before the next, so that a file that points into another one
never outlives it. A remote object is put whole when its stage comes.
"""

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

__all__ = ["StagedFiles", "flush"]


class _LocalFile:
    """A file beside its place."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._beside = path.parent / f".{path.name}.{os.getpid()}.part"
        self.stream: BinaryIO = self._beside.open("wb")

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._path.parent

    def flush(self) -> None:
        """Bring its content to disk."""
        os.fsync(self.stream.fileno())
        self.stream.close()

    def place(self) -> None:
        """Let it take its place."""
        self._beside.replace(self._path)

    def discard(self) -> None:
        """Leave nothing of it but what took its place."""
        with suppress(OSError):  # a full disk, of which the writer has been told
            self.stream.close()
        self._beside.unlink(missing_ok=True)


class _RemoteFile:
    """An object that is not put yet; held in memory, or in a temporary file where it is large."""

    def __init__(self, path: Path) -> None:
        self._path = path
        whole = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed in `discard`
        self.stream = cast("BinaryIO", whole)

    def place(self) -> None:
        """Put it."""
        put(self._path, self.stream)

    def discard(self) -> None:
        """Forget its content."""
        self.stream.close()


@dataclass(frozen=True, slots=True)
class _Stage:
    """Files that take their places in any order."""

    local: list[_LocalFile] = field(default_factory=list)
    remote: list[_RemoteFile] = field(default_factory=list)

    def add(self, path: Path) -> _LocalFile | _RemoteFile:
        """Begin a file."""
        if is_remote(path):
            self.remote.append(_RemoteFile(path))
            return self.remote[-1]
        self.local.append(_LocalFile(path))
        return self.local[-1]

    def place(self) -> None:
        """Let all take their places for good."""
        for file in self.local:
            file.place()
        for folder in dict.fromkeys(file.folder for file in self.local):
            flush(folder)
        # A store keeps each waiting for long. A disk does not: a thread would wait longer for a core that is free.
        with ThreadPoolExecutor() as threads:
            for done in [threads.submit(file.place) for file in self.remote]:
                done.result()

    def discard(self) -> None:
        """Leave nothing of those that did not take their places."""
        for file in self.local:
            file.discard()
        for whole in self.remote:
            whole.discard()


class StagedFiles:
    """Files that belong together; at the end of the `with` block they take their places, after an error none does."""

    def __init__(self) -> None:
        """Begin the first stage."""
        self._stages = [_Stage()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                for stage in self._stages:
                    for file in stage.local:
                        file.flush()
                for stage in self._stages:
                    stage.place()
        finally:
            for stage in self._stages:
                stage.discard()

    def next_stage(self) -> None:
        """Let what is written from now on take its place after all before is in its own for good."""
        self._stages.append(_Stage())

    @contextmanager
    def replacing(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that will take the place of `path`; its folder is made where it is missing."""
        file = self._stages[-1].add(path)
        yield file.stream
        file.stream.flush()


def flush(path: Path) -> None:
    """Bring a local file to disk, or the names in a folder.

    Raises:
        OSError: the disk refused.
    """
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
