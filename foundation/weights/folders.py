"""Folders of this machine that hold weights."""

import os
import shutil
from pathlib import Path

from foundation.storage.private_folder import cache_folder_of

__all__ = ["PARTIAL_PREFIX", "cache_folder", "mirror_folder", "put_folder", "search_folders"]

PARTIAL_PREFIX = ".partial-"
"""Prefix of folders in the cache in which weights are assembled."""


def cache_folder() -> Path:
    """Return the folder that holds fetched weights, ``models`` in ``GAIA_CACHE`` or the user's cache; may not exist."""
    return cache_folder_of("models")


def mirror_folder() -> Path | None:
    """Return the folder that ``GAIA_MODELS`` names, which is read and never written to."""
    models = os.environ.get("GAIA_MODELS")
    return Path(models).expanduser() if models else None


def search_folders() -> list[Path]:
    """Return the folders that are searched for weights, in order."""
    mirror = mirror_folder()
    return [*([mirror] if mirror else []), cache_folder()]


def put_folder(folder: Path, target: Path) -> None:
    """Move a complete `folder` to `target` and replace an incomplete one there; both are on one disk.

    Raises:
        OSError: the disk refused.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
