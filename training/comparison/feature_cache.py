"""Features of videos in a folder, by what they were computed from: computed once, whatever evaluation asks for them.

An entry is a folder of `.npy` files under the digest of its key. It appears complete or not at all, so that several
commands may share a cache. The folder holds nothing but numbers and can be deleted at any time.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array
from foundation.weights import cache_folder

__all__ = ["FeatureCache", "default_cache", "feature_key"]

_VERSION = 1
"""Of how features are computed; an entry of another version is not found."""


def default_cache() -> Path:
    """Return the folder of features in the user's cache, beside that of the weights; it may not exist."""
    return cache_folder().with_name("evaluation")


def feature_key(*parts: str | int) -> str:
    """Return 40 hexadecimal digits that depend on every part and on where one ends."""
    state = hashlib.blake2b(digest_size=20)
    for part in (_VERSION, *parts):
        text = str(part).encode(errors="surrogateescape")
        state.update(b"%d:%b" % (len(text), text))
    return state.hexdigest()


class FeatureCache:
    """Named arrays by key."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made when something is written into it."""
        self._folder = folder

    def find(self, key: str) -> dict[str, Float32Array] | None:
        """Return the arrays of an entry, mapped from their files; None where there is none, or it is damaged."""
        entry = self._entry(key)
        if not entry.is_dir():
            return None
        try:
            return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(entry.glob("*.npy"))}
        except (OSError, ValueError, EOFError):
            return None

    def keep(self, key: str, arrays: Mapping[str, Float32Array]) -> dict[str, Float32Array]:
        """Write an entry, and return its arrays as `find` does.

        Raises:
            OSError: it cannot be written.
        """
        entry = self._entry(key)
        entry.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(dir=entry.parent, prefix=".partial-"))
        try:
            for name, array in arrays.items():
                np.save(hidden / f"{name}.npy", array, allow_pickle=False)
            self._put(hidden, entry)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        found = self.find(key)
        if found is None:
            raise OSError(f"{entry} cannot be read after it was written")
        return found

    def found_or_made(self, key: str, make: Callable[[], Mapping[str, Float32Array]]) -> dict[str, Float32Array]:
        """Return an entry, which is made where it is missing.

        Raises:
            OSError: it cannot be written.
        """
        found = self.find(key)
        return self.keep(key, make()) if found is None else found

    def _put(self, hidden: Path, entry: Path) -> None:
        if entry.exists() and self.find(entry.name) is None:
            shutil.rmtree(entry)
        try:
            hidden.rename(entry)
        except OSError:
            # another command has written the same entry
            if not entry.is_dir():
                raise

    def _entry(self, key: str) -> Path:
        return self._folder / key[:2] / key
