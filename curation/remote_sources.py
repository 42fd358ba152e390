"""Source videos on object stores and web servers: what lies under an address."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from manifests.storage import location, reaching

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["RemoteListing", "list_remote"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteListing:
    """What was found under an address."""

    videos: tuple[tuple[Path, str], ...]
    """Each with the source that it belongs to; none where nothing is there."""
    ignored_files: int
    """Objects that are not called like videos."""


def list_remote(address: str, suffixes: Sequence[str]) -> RemoteListing:
    """List the videos of a folder, with its subfolders, those that a pattern matches, or one video; of the web one.

    Args:
        address: such as ``s3://bucket/raw``, ``s3://bucket/raw/*/talk.mp4`` or ``https://host/talk.mp4``.
        suffixes: what video files are called, in lower case.

    Raises:
        StorageError: the protocol is unknown, or its package is not installed.
        OSError: it cannot be listed.
    """
    place = location(address)
    if address.startswith(("http://", "https://")):  # to look for more would be to follow every link of a page
        return RemoteListing(videos=((place, place.parent.name),), ignored_files=0)
    fs, root = cast("UPath", place).fs, cast("UPath", place).path
    pattern = any(sign in address for sign in "*?[")
    with reaching(place):
        if pattern:
            found = [str(name) for name in fs.glob(root)]
            return RemoteListing(videos=tuple(_video(address, name) for name in found), ignored_files=0)
        try:
            listed = [str(name) for name in fs.find(root)]
        except FileNotFoundError:
            listed = []
    own = root.rstrip("/")
    if own in listed or (not listed and place.suffix.lower() in suffixes and place.exists()):
        return RemoteListing(videos=((place, place.parent.name),), ignored_files=0)
    videos = []
    for name in listed:
        below = name.removeprefix(own).lstrip("/")
        first, slash, _ = below.partition("/")
        if below.lower().endswith(tuple(suffixes)):
            videos.append((place / below, first if slash else place.name or own))
    return RemoteListing(videos=tuple(videos), ignored_files=len(listed) - len(videos))


def _video(address: str, name: str) -> tuple[Path, str]:
    protocol = address.partition("://")[0]
    path = location(name if "://" in name else f"{protocol}://{name.lstrip('/')}")
    return path, path.parent.name
