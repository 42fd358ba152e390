"""Atomic writes: a file appears under its name whole, or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from foundation.storage.staged import StagedFiles

__all__ = ["replacing", "write_bytes_atomic", "write_json_atomic", "write_text"]


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once it is complete and on disk; on an error it is removed."""
    with StagedFiles() as files, files.replacing(path) as stream:
        yield stream


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path`; the folder is made where it is missing.

    Raises:
        OSError: the disk refused; `path` is as it was before.
    """
    with replacing(path) as stream:
        stream.write(content)


def write_json_atomic(path: Path, content: Mapping[str, object]) -> None:
    """Write an object of JSON values to `path`, indented, keys in the order given.

    Raises:
        ValueError: a number is infinite or not a number, which JSON cannot hold.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes_atomic(path, f"{text}\n".encode())


def write_text(path: Path, text: str) -> None:
    """Write a small file beside `path`, flush it and rename it, so that no reader sees half of it."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
