"""Files that take their places once all of them are on disk, stage after stage.

A local file is written beside its place under a name that begins with a dot. All files are flushed at the same time,
for a disk lets several wait hardly longer than one. Then the stages are renamed in their order, and the folders of each
are flushed before the next, so that a file that points into another one never outlives it. A remote object is put whole
when its stage comes, those of one stage at the same time.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from manifests.storage import IN_MEMORY_BYTES, is_remote, put

__all__ = ["StagedFiles"]


class _StagedFile(Protocol):
    """A file that is written and not yet in its place."""

    stream: BinaryIO
    folders: Sequence[Path]
    """To be flushed after it took its place."""

    def flush(self) -> None:
        """Bring the content to disk."""

    def place(self) -> None:
        """Let it take its place."""

    def discard(self) -> None:
        """Leave nothing of it but what took its place."""


class StagedFiles:
    """Files that belong together; at the end of the `with` block they take their places, after an error none does."""

    def __init__(self) -> None:
        """Begin the first stage."""
        self._stages: list[list[_StagedFile]] = [[]]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._commit()
        finally:
            for file in self._files():
                file.discard()

    def next_stage(self) -> None:
        """Let what is written from now on take its place after all before is in its own for good."""
        self._stages.append([])

    @contextmanager
    def replacing(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file that will take the place of `path`; its folder is made where it is missing."""
        file = _RemoteFile(path) if is_remote(path) else _LocalFile(path)
        self._stages[-1].append(file)
        yield file.stream
        file.stream.flush()

    def _files(self) -> list[_StagedFile]:
        return [file for stage in self._stages for file in stage]

    def _commit(self) -> None:
        with ThreadPoolExecutor() as threads:  # none is begun where there is but one thing to do
            _do(threads, [file.flush for file in self._files()])
            for stage in self._stages:
                _do(threads, [file.place for file in stage])
                folders = dict.fromkeys(folder for file in stage for folder in file.folders)
                _do(threads, [partial(_flush_folder, folder) for folder in folders])


class _LocalFile:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.folders: Sequence[Path] = (path.parent,)
        self._path = path
        self._beside = path.parent / f".{path.name}.{os.getpid()}.part"
        self.stream: BinaryIO = self._beside.open("wb")

    def flush(self) -> None:
        os.fsync(self.stream.fileno())
        self.stream.close()

    def place(self) -> None:
        self._beside.replace(self._path)

    def discard(self) -> None:
        with suppress(OSError):  # a full disk, which the writer has been told of
            self.stream.close()
        self._beside.unlink(missing_ok=True)


class _RemoteFile:
    def __init__(self, path: Path) -> None:
        self.folders: Sequence[Path] = ()
        self._path = path
        whole = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed in `discard`
        self.stream = cast("BinaryIO", whole)

    def flush(self) -> None:
        """Do nothing: a store keeps what it takes."""

    def place(self) -> None:
        put(self._path, self.stream)

    def discard(self) -> None:
        self.stream.close()


def _do(threads: ThreadPoolExecutor, actions: Sequence[Callable[[], None]]) -> None:
    """Do all at the same time, and raise the first error."""
    if len(actions) == 1:
        actions[0]()
        return
    for done in [threads.submit(action) for action in actions]:
        done.result()


def _flush_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
