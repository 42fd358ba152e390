"""Source videos on object stores and web servers, listed by address."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from curation.sources.layouts import Tree
from curation.sources.left_alone import left_alone_below
from foundation.storage.locations import location, store_errors

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["Matches", "list_remote"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """What a pattern matches, or a single file."""

    files: tuple[Path, ...]
    folders: tuple[Path, ...] = ()


def list_remote(address: str, suffixes: Sequence[str]) -> Tree | Matches:
    """List a folder with its subfolders, the videos that a pattern matches, or one video; of the web one.

    Args:
        address: such as ``s3://bucket/raw``, ``s3://bucket/raw/*/talk.mp4`` or ``https://host/talk.mp4``.
        suffixes: what video files are called, in lower case.

    Returns:
        The folder, empty where nothing is there; or single files.

    Raises:
        StorageError: the protocol is unknown, or its package is not installed.
        OSError: it cannot be listed.
    """
    root = location(address)
    if address.startswith(("http://", "https://")):  # to look for more would be to follow every link of a page
        return Matches(files=(root,))
    fs, key = cast("UPath", root).fs, cast("UPath", root).path
    pattern = any(sign in address for sign in "*?[")
    with store_errors(root):
        if pattern:
            kinds = {_video(address, str(name)): facts["type"] for name, facts in fs.glob(key, detail=True).items()}
            folders = tuple(path for path, kind in kinds.items() if kind == "directory")
            return Matches(files=tuple(path for path in kinds if path not in folders), folders=folders)
        try:
            listed = [str(name) for name in fs.find(key)]
        except FileNotFoundError:
            listed = []
    own = key.rstrip("/")
    if own in listed or (not listed and root.suffix.lower() in suffixes and root.exists()):
        return Matches(files=(root,))
    hidden = {name: left_alone_below(name) for name in (name.removeprefix(own).lstrip("/") for name in listed)}
    below = [name for name, first in hidden.items() if first is None]
    videos = tuple(name for name in below if name.lower().endswith(tuple(suffixes)))
    return Tree(
        root=root,
        name=root.name or own,
        videos=videos,
        others=tuple(sorted(set(below) - set(videos))),
        left_alone=tuple(dict.fromkeys(first for first in hidden.values() if first is not None)),
    )


def _video(address: str, name: str) -> Path:
    protocol = address.partition("://")[0]
    return location(name if "://" in name else f"{protocol}://{name.lstrip('/')}")
