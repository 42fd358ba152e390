"""Source videos on object stores and web servers, listed by address."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from curation.sources.layouts import Tree
from foundation.storage.locations import location, store_errors

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["list_remote"]


def list_remote(address: str, suffixes: Sequence[str]) -> Tree | tuple[Path, ...]:
    """List a folder with its subfolders, the videos that a pattern matches, or one video; of the web one.

    Args:
        address: such as ``s3://bucket/raw``, ``s3://bucket/raw/*/talk.mp4`` or ``https://host/talk.mp4``.
        suffixes: what video files are called, in lower case.

    Returns:
        The folder, empty where nothing is there; or single videos.

    Raises:
        StorageError: the protocol is unknown, or its package is not installed.
        OSError: it cannot be listed.
    """
    root = location(address)
    if address.startswith(("http://", "https://")):  # to look for more would be to follow every link of a page
        return (root,)
    fs, key = cast("UPath", root).fs, cast("UPath", root).path
    pattern = any(sign in address for sign in "*?[")
    with store_errors(root):
        if pattern:
            return tuple(_video(address, str(name)) for name in fs.glob(key))
        try:
            listed = [str(name) for name in fs.find(key)]
        except FileNotFoundError:
            listed = []
    own = key.rstrip("/")
    if own in listed or (not listed and root.suffix.lower() in suffixes and root.exists()):
        return (root,)
    below = [name.removeprefix(own).lstrip("/") for name in listed]
    videos = tuple(name for name in below if name.lower().endswith(tuple(suffixes)))
    others = tuple(sorted(set(below) - set(videos)))
    return Tree(root=root, name=root.name or own, videos=videos, others=others)


def _video(address: str, name: str) -> Path:
    protocol = address.partition("://")[0]
    return location(name if "://" in name else f"{protocol}://{name.lstrip('/')}")
