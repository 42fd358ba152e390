"""Source videos on object stores and web servers, listed by address."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from curation.sources.layouts import Tree
from curation.sources.left_alone import left_alone_below
from foundation.storage.locations import StorageError, location, store_errors

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from upath import UPath

__all__ = ["Matches", "list_remote"]


class _Facts(TypedDict):
    """What a file system says of a name, as far as it is needed."""

    type: str


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
        StorageError: the protocol is unknown, its package is not installed, or not all of it can be listed: a part
            would be taken for everything.
    """
    root = location(address)
    if address.startswith(("http://", "https://")):  # to look for more would be to follow every link of a page
        return Matches(files=(root,))
    fs, key = cast("UPath", root).fs, cast("UPath", root).path
    pattern = any(sign in address for sign in "*?[")
    try:
        with store_errors(root):
            found = _complete(fs, key, pattern=pattern)
    except FileNotFoundError:
        found = {}
    except OSError as error:
        raise StorageError(
            f"--source {address!r} cannot be listed: {error}; nothing was begun, give the command again when its "
            "store answers"
        ) from error
    if pattern:
        kinds = {_video(address, name): facts["type"] for name, facts in found.items()}
        folders = tuple(path for path, kind in kinds.items() if kind == "directory")
        return Matches(files=tuple(path for path in kinds if path not in folders), folders=folders)
    listed = list(found)
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


def _complete(fs: "AbstractFileSystem", key: str, *, pattern: bool) -> dict[str, _Facts]:
    """Return all that a file system finds, with the facts of each.

    Raises:
        OSError: a folder cannot be listed; fsspec passes over it, and takes what it has for everything.
    """
    from fsspec.asyn import AsyncFileSystem

    problems: list[OSError] = []
    # Its own argument `on_error` is lost below the first folder.
    name = "_ls" if isinstance(fs, AsyncFileSystem) else "ls"
    listing = getattr(fs, name)

    async def noting(*arguments: object, **options: object) -> object:
        try:
            return await listing(*arguments, **options)
        except OSError as problem:
            problems.append(problem)
            raise

    def noting_at_once(*arguments: object, **options: object) -> object:
        try:
            return listing(*arguments, **options)
        except OSError as problem:
            problems.append(problem)
            raise

    setattr(fs, name, noting if name == "_ls" else noting_at_once)
    try:
        found: dict[str, _Facts] = (fs.glob if pattern else fs.find)(key, detail=True)
    finally:
        delattr(fs, name)
    for problem in problems:
        if not isinstance(problem, FileNotFoundError | NotADirectoryError):  # removed meanwhile, or a file
            raise problem
    return found


def _video(address: str, name: str) -> Path:
    protocol = address.partition("://")[0]
    return location(name if "://" in name else f"{protocol}://{name.lstrip('/')}")
