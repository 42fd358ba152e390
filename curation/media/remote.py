"""Remote files for FFmpeg: read by ranges, and no failure of the storage is taken for damage."""

import io
from pathlib import Path
from types import TracebackType
from typing import Self

from curation.media.errors import MediaError
from foundation.storage.locations import open_remote, store_errors
from foundation.storage.path_text import plain_path

__all__ = ["RemoteMedia"]

_BLOCK_BYTES = 2 << 20
"""Size of a request: about a second of good video."""


class RemoteMedia:
    """A file object for PyAV.

    FFmpeg continues after a read error as after damage, which would make evidence depend on the network.
    So the first error is kept, and raised where the file is closed, if not before.
    """

    def __init__(self, path: Path) -> None:
        """Open the address `path`.

        Raises:
            MediaError: `unreachable`.
        """
        self.name = plain_path(path).name
        """FFmpeg evaluates its suffix, as with a local file."""
        self._path = path
        self._failure: OSError | None = None
        try:
            self._file = open_remote(path, _BLOCK_BYTES)
            self._size = self._file.seek(0, io.SEEK_END)
            self._file.seek(0)
        except OSError as error:
            raise self._error(error) from error
        if not self._size:
            self._file.close()
            raise MediaError("unreadable", f"{path} is empty (0 bytes)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._failure is not None and not isinstance(error, GeneratorExit):
            raise self._error(self._failure) from self._failure

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            with store_errors(self._path):
                return self._file.read(size)
        except OSError as error:
            self._failure = self._failure or error
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def _error(self, error: OSError) -> MediaError:
        return MediaError("unreachable", f"{self._path} cannot be read: {error}")
