"""Source videos on object stores and web servers, listed by address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from curation.sources.layouts import Tree
from curation.sources.left_alone import left_alone_below
from foundation.storage.locations import StorageError, location, store_errors

if TYPE_CHECKING:
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
            found = _complete(fs.glob if pattern else fs.find, key)
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


def _complete(listing: Callable[..., Mapping[str, _Facts]], key: str) -> Mapping[str, _Facts]:
    """Return all that a file system lists, with the facts of each; it would pass over folders that it fails to list.

    Raises:
        OSError: a folder cannot be listed.
    """
    problems: list[OSError] = []
    try:
        found = listing(key, detail=True, on_error=problems.append)
    except TypeError:  # it lists everything in one go, and raises what goes wrong
        found = listing(key, detail=True)
    for problem in problems:
        if not isinstance(problem, FileNotFoundError):  # a folder that was removed meanwhile
            raise problem
    return found


def _video(address: str, name: str) -> Path:
    protocol = address.partition("://")[0]
    return location(name if "://" in name else f"{protocol}://{name.lstrip('/')}")
