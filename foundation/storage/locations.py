"""Locations of files: local paths, and addresses that fsspec resolves, such as `s3://bucket/folder`.

A local path is a `pathlib.Path`. An address is a `upath.UPath`, which has the methods of `Path` that this project uses,
so the same code handles both; `is_remote` distinguishes them. fsspec and the package of a protocol are imported for the
first address, never for local paths.

An object store cannot rename or append: an object is uploaded in one piece, and is there complete or not at all.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from foundation.errors import CannotStartError
from foundation.packages import DISTRIBUTION
from foundation.storage.regular_files import FileTooLargeError, read_regular, read_small, require_regular

if TYPE_CHECKING:
    from upath import UPath

__all__ = [
    "IN_MEMORY_BYTES",
    "StorageError",
    "can_seek",
    "files_in",
    "is_address",
    "is_remote",
    "location",
    "open_remote",
    "put",
    "read_all",
    "read_range",
    "read_ranges",
    "remote_of",
    "remote_path",
    "resolved",
    "store_errors",
]

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "http": "http", "https": "http"}
"""By protocol that needs an optional package, the extra of this project that installs it."""
_LOCAL = ("file", "local")

IN_MEMORY_BYTES = 64 << 20
"""An object up to this size is uploaded in one request, a larger one in blocks of this size from a temporary file."""

_BLOCKS = 8
"""Ranges of an open file that are cached."""

_AT_ONCE = 256
"""Small objects that are fetched at the same time."""


class StorageError(CannotStartError, OSError):
    """Files cannot be reached: an unknown protocol, or its package is not installed."""


def is_address(text: str) -> bool:
    """Return whether `text` is an address with a protocol, and not a local path.

    >>> is_address("s3://bucket/raw"), is_address("talks/monday:1.mp4"), is_address("file:///raw")
    (True, False, True)
    """
    protocol, colon, _ = text.partition("://")
    return bool(colon) and protocol.replace("+", "").isalnum()


def is_remote(path: object) -> bool:
    """Return whether a path that `location` returned is an address."""
    return not isinstance(path, Path)


def resolved(path: Path) -> Path:
    """Return an absolute path without links; one that runs in a circle stays as it is, and is no error yet."""
    return Path(os.path.realpath(path)) if isinstance(path, Path) else path.resolve()


def location(text: str | Path) -> Path:
    """Return the path for a user's text: a local path, or an address such as ``s3://bucket/folder``.

    A path is returned as it is. Credentials and endpoints come from the environment and the configuration of fsspec and
    the protocol's package.

    Raises:
        StorageError: the protocol is unknown, or its package is not installed; the message says how to install it.

    >>> location("raw/talks")
    PosixPath('raw/talks')
    """
    if not isinstance(text, str):
        return text
    protocol = text.partition("://")[0]
    if is_address(text) and protocol not in _LOCAL:
        _require(protocol)
    return remote_path(text)


def remote_path(text: str) -> Path:
    """Return the path for `text` as `location` does, without checking that the protocol is available."""
    if not is_address(text):
        return Path(text)
    protocol, _, rest = text.partition("://")
    if protocol in _LOCAL:
        return Path(rest)
    from upath import UPath

    if protocol not in ("http", "https"):  # a folder, with or without a slash at its end
        text = text.rstrip("/")
    # Listings that fsspec remembers would hide what other processes have written since.
    return cast("Path", UPath(text, use_listings_cache=False))


@cache
def _require(protocol: str) -> None:
    from fsspec import available_protocols, get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        remedy = f"pip install '{DISTRIBUTION}[{extra}]'" if extra else f"install the package that it names: {error}"
        raise StorageError(f"{protocol}:// needs a package that is not installed; {remedy}") from error
    except ValueError as error:
        known = ", ".join(sorted(available_protocols()))
        raise StorageError(f"{protocol}:// is no protocol that fsspec knows; known are {known}") from error


def files_in(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder whose names end in `suffix` and do not begin with a dot, sorted by name.

    Subfolders are not searched. The list is empty if the folder is missing.

    Raises:
        NotRegularFileError: one of these names is that of a link, a folder, a named pipe, a socket or a device.
        OSError: the folder cannot be listed.
    """
    if not is_remote(folder):
        return _local_files(folder, suffix)
    remote = remote_of(folder)
    try:
        with store_errors(folder):
            listed = remote.fs.ls(remote.path, detail=False)
    except FileNotFoundError:
        return []
    names = (name.rstrip("/").rpartition("/")[2] for name in listed)
    return [folder / name for name in sorted(names) if name.endswith(suffix) and not name.startswith(".")]


def _local_files(folder: Path, suffix: str) -> list[Path]:
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and not entry.name.startswith("."):
                    if not entry.is_file(follow_symlinks=False):
                        require_regular(folder / entry.name, follow_links=False)
                    names.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in sorted(names)]


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Read `size` bytes of a file from `offset` on, fewer where it ends earlier; nothing else is fetched.

    Raises:
        NotRegularFileError: it is no regular file.
        OSError: the file cannot be read.
    """
    if not is_remote(path):
        return read_regular(path, offset, size)
    if not size:
        return b""
    remote = remote_of(path)
    with store_errors(path):
        return bytes(remote.fs.cat_file(remote.path, start=offset, end=offset + size))


def read_all(paths: Sequence[Path], max_bytes: int) -> Iterator[bytes]:
    """Yield the content of files of at most `max_bytes`, in order; remote files are fetched many at a time.

    Raises:
        NotRegularFileError: a local one is no regular file, but a folder, a link, a named pipe, a socket or a device.
        FileTooLargeError: one is larger.
        OSError: a file cannot be read.
    """
    for first in range(0, len(paths), _AT_ONCE):
        batch = paths[first : first + _AT_ONCE]
        if is_remote(batch[0]):
            yield from _read_remote(batch, max_bytes)
        else:
            yield from (read_small(path, max_bytes, follow_links=False) for path in batch)


def _read_remote(paths: Sequence[Path], max_bytes: int) -> Iterator[bytes]:
    fs, names = remote_of(paths[0]).fs, [remote_of(path).path for path in paths]
    with store_errors(paths[0].parent):
        contents = fs.cat_ranges(names, 0, max_bytes + 1, on_error="return")
        for path, name, content in zip(paths, names, contents, strict=True):
            if isinstance(content, Exception) and fs.info(name).get("size") != 0:
                raise content
            found = b"" if isinstance(content, Exception) else bytes(content)  # an empty object has no ranges
            if len(found) > max_bytes:
                raise FileTooLargeError(f"{path} is larger than {max_bytes:,} bytes, more than such a file can have")
            yield found


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn any error of a store's package in the block into an OSError that names the address.

    Raises:
        StorageError: in place of an error that is not an OSError.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # every package has its own errors
        raise StorageError(f"{path}: {type(error).__name__}: {error}") from error


def open_remote(path: Path, block_bytes: int) -> BinaryIO:
    """Open an address for reading.

    Args:
        path: the address.
        block_bytes: fetch ranges of at least this size, and cache a few of them, so that reading at two or three
            places in turn fetches nothing twice; 0: fetch one stream, in which seeking is not possible.

    Raises:
        OSError: it cannot be read.
    """
    remote = remote_of(path)
    with store_errors(path):
        if block_bytes:
            options = {"block_size": block_bytes, "cache_type": "blockcache", "cache_options": {"maxblocks": _BLOCKS}}
        else:
            options = {"block_size": 0} if remote.protocol in ("http", "https") else {"cache_type": "none"}
        return cast("BinaryIO", remote.fs.open(remote.path, mode="rb", **options))


def can_seek(path: Path) -> bool:
    """Return whether ranges of a remote file can be read; some web servers only send complete files.

    Raises:
        OSError: it cannot be read.
    """
    remote = remote_of(path)
    with store_errors(path), remote.fs.open(remote.path, mode="rb", block_size=1, cache_type="none") as stream:
        try:
            stream.seek(1)
            stream.read(1)
        except ValueError:  # raised by fsspec for such a web server
            return False
        return True


def read_ranges(path: Path, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return half-open ranges of the bytes of a remote file, which are fetched at the same time.

    Raises:
        OSError: it cannot be read.
    """
    remote = remote_of(path)
    starts, ends = zip(*ranges, strict=True)
    with store_errors(path):
        pieces = remote.fs.cat_ranges([remote.path] * len(ranges), list(starts), list(ends), on_error="raise")
    return [bytes(piece) for piece in pieces]


def put(path: Path, content: BinaryIO) -> None:
    """Upload the content of an open file, from its beginning to its position, in place of the address `path`.

    Raises:
        StorageError: the store refuses it; nothing has changed.
    """
    remote = remote_of(path)
    size = content.tell()
    content.seek(0)
    with store_errors(path):
        if size <= IN_MEMORY_BYTES:
            remote.fs.pipe_file(remote.path, content.read())
            return
        sink: Any = remote.fs.open(remote.path, mode="wb", block_size=IN_MEMORY_BYTES)
        try:
            shutil.copyfileobj(content, sink, IN_MEMORY_BYTES)
        except BaseException:
            sink.discard()
            raise
        sink.close()


def remote_of(path: Path) -> "UPath":
    """Return an address as its own type, `UPath`, for methods that `Path` lacks."""
    return cast("UPath", path)
