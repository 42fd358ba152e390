"""The check that a weight file is the one that the registry names."""

import hashlib
from functools import lru_cache
from pathlib import Path

from curation.assets.registry import AssetFile

__all__ = ["AssetError", "WrongAssetError", "check_file"]


class AssetError(RuntimeError):
    """Weights cannot be used."""


class WrongAssetError(AssetError):
    """A file has the right name and the wrong content."""


def check_file(path: Path, expected: AssetFile) -> None:
    """Compare the content of `path` with what the registry expects.

    A file whose path, size and time of change have not altered is read once per process.

    Raises:
        WrongAssetError: the hashes differ; the message holds both.
    """
    status = path.stat()
    found = _sha256(path, status.st_size, status.st_mtime_ns)
    if found != expected.sha256:
        raise WrongAssetError(
            f"{path}: sha256 is {found} ({status.st_size} bytes), but {expected.name} has {expected.sha256}"
            f" ({expected.size_bytes} bytes); it is another or a damaged file: delete it, or put the right one there"
        )


@lru_cache(maxsize=256)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:  # noqa: ARG001 - the two make the cache forget
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
