"""Atomic writes: a file appears under its name complete, or not at all."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from foundation.storage.staged import StagedFiles

__all__ = ["replacing", "write_bytes_atomic", "write_json_atomic"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` once it is complete and on disk; after an error it is removed."""
    with StagedFiles() as files, files.replacing(path) as stream:
        yield stream


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; a missing folder is created.

    Raises:
        OSError: the content cannot be written; `path` is as it was before.
    """
    with replacing(path) as stream:
        stream.write(content)


def write_json_atomic(path: Path, content: Mapping[str, object]) -> None:
    """Write an object of JSON values to `path` atomically, indented, keys in the order given.

    Raises:
        ValueError: a number is infinite or not a number, which JSON cannot hold.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes_atomic(path, f"{text}\n".encode())
