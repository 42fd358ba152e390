"""Regular files: opened without waiting, and refused if they are anything else.

Opening a named pipe waits for its other end, a device may deliver bytes without end, and a name may be a link to
somewhere else. What others made is opened by these functions alone.
"""

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

__all__ = [
    "FileTooLargeError",
    "NotRegularFileError",
    "kind_of",
    "open_regular",
    "read_regular",
    "read_small",
    "require_regular",
]

_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegularFileError(UsageError, OSError):
    """A name leads to something that is no regular file; the message says to what."""


class FileTooLargeError(UsageError, OSError):
    """A file is larger than a file of its kind can be."""


def kind_of(mode: int) -> str:
    """Return in words what a file is that is no regular one.

    Args:
        mode: its `st_mode`.

    >>> kind_of(stat.S_IFIFO), kind_of(stat.S_IFDIR)
    ('a named pipe', 'a folder')
    """
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "no regular file")


def require_regular(path: Path, *, follow_links: bool = True) -> None:
    """Refuse what is no regular file.

    Args:
        path: a local file.
        follow_links: whether a link to a regular file is accepted.

    Raises:
        NotRegularFileError: it is a folder, a named pipe, a socket, a device, or a link that is not followed.
        OSError: it is not there, or its folder cannot be read.
    """
    _require(path, path.stat(follow_symlinks=follow_links).st_mode)


def open_regular(path: Path, *, follow_links: bool = True) -> BufferedReader:
    """Open a local file for reading, without waiting for anything.

    Args:
        path: the file.
        follow_links: whether the file itself may be a link; links among its folders are followed in any case.

    Raises:
        NotRegularFileError: it is a folder, a named pipe, a socket, a device, or a link that is not followed.
        OSError: it is not there, or cannot be read.
    """
    descriptor, _ = _opened(path, follow_links=follow_links)
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, offset: int, size: int) -> bytes:
    """Read `size` bytes of a local file from `offset` on, fewer where it ends earlier.

    Raises:
        NotRegularFileError: it is a folder, a named pipe, a socket or a device.
        OSError: it is not there, or cannot be read.
    """
    descriptor, end = _opened(path, follow_links=True)
    try:
        size = min(size, max(0, end - offset))  # a size that is only claimed takes no memory
        content = os.pread(descriptor, size, offset)
        while len(content) < size and (more := os.pread(descriptor, size - len(content), offset + len(content))):
            content += more  # one call reads 2 GiB at most
    finally:
        os.close(descriptor)
    return content


def _opened(path: Path, *, follow_links: bool) -> tuple[int, int]:
    """Open a file as `open_regular` does; return its descriptor and its length."""
    # Looked at before it is opened, for opening alone can move a device, and afterwards, for it may have been replaced.
    require_regular(path, follow_links=follow_links)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        _require(path, status.st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def read_small(path: Path, max_bytes: int, *, follow_links: bool = True) -> bytes:
    """Return the content of a small file, local or remote; no more than `max_bytes` and one are read.

    Args:
        path: the file.
        max_bytes: most that a file of its kind has.
        follow_links: as of `open_regular`; a store has no links.

    Raises:
        NotRegularFileError: it is no regular file.
        FileTooLargeError: it is larger.
        OSError: it is not there, or cannot be read.
    """
    if isinstance(path, Path):
        with open_regular(path, follow_links=follow_links) as stream:
            content = stream.read(max_bytes + 1)
    else:
        content = _beginning(path, max_bytes + 1)
    if len(content) > max_bytes:
        raise FileTooLargeError(f"{path} is larger than {max_bytes:,} bytes, more than such a file can have")
    return content


def _beginning(path: "UPath", n_bytes: int) -> bytes:
    """Return the first bytes of an object in one request; opening it would ask for its size first."""
    if path.protocol in ("http", "https"):  # a web server may send all of it, whatever is asked for
        with path.open("rb") as stream:
            return bytes(stream.read(n_bytes))
    try:
        return bytes(path.fs.cat_file(path.path, start=0, end=n_bytes))
    except FileNotFoundError:
        raise
    except OSError:
        if path.fs.info(path.path)["size"] != 0:
            raise
        return b""  # an empty object has no ranges


def _require(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularFileError(f"{path} is {kind_of(mode)}, not a regular file")
