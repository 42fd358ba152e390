"""SHA-256 of files."""

import hashlib
from io import BufferedReader
from pathlib import Path

from foundation.storage.regular_files import open_regular

__all__ = ["file_sha256", "stream_sha256"]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_regular(path) as file:
        return stream_sha256(file)


def stream_sha256(stream: BufferedReader) -> str:
    """Return the SHA-256 of what is left of a stream of bytes, 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.file_digest(stream, "sha256").hexdigest()
