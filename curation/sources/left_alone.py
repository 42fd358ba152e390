"""Files and folders that a listing leaves alone: hidden ones, and those that systems put beside a user's files."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

__all__ = ["is_left_alone", "left_alone_below", "left_alone_text"]

_OF_SYSTEMS = frozenset(
    (
        *("$recycle.bin", "recycler", "system volume information"),  # Windows
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),  # Synology and QNAP
        *("lost+found", "__macosx"),  # ext file systems; archives that a Mac packed
    )
)
"""Names of folders of systems, in lower case: waste, indices, thumbnails, what a file system check found."""


def is_left_alone(name: str) -> bool:
    """Return whether a file or folder of this name is hidden, or a folder of a system.

    A name that begins with a dot is hidden. Such are the files `._talk.mp4`, in which macOS keeps attributes of
    `talk.mp4` on disks of other systems, and the folders `.Trashes` and `.Spotlight-V100`.

    >>> is_left_alone("._talk.mp4"), is_left_alone("@eaDir"), is_left_alone("talk.mp4")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def left_alone_below(name: str, named: Sequence[str] = ()) -> str | None:
    """Return the first hidden part of a path, with the folders before it; None where no part is hidden.

    Args:
        name: a path with slashes, relative to the folder that is listed.
        named: parts of a path or pattern that the user named; what these mean is not left alone.

    >>> left_alone_below("day 1/.Trashes/501/gone.mp4")
    'day 1/.Trashes'
    >>> left_alone_below(".raw/talk.mp4", [".r*", "*.mp4"])
    """
    parts = name.split("/")
    patterns = [part for part in named if is_left_alone(part)]
    hidden = (
        k
        for k, part in enumerate(parts)
        if part != ".." and is_left_alone(part) and not any(fnmatchcase(part, pattern) for pattern in patterns)
    )
    first = next(hidden, None)
    return None if first is None else "/".join(parts[: first + 1])


def left_alone_text(names: Iterable[str]) -> str:
    """Return a line about files and folders that were left alone; an empty text where there are none.

    >>> left_alone_text(["._talk.mp4", ".Trashes"])
    '2 hidden files and folders were left alone, such as ._talk.mp4.'
    """
    listed = list(names)
    if not listed:
        return ""
    what = "hidden file or folder was" if len(listed) == 1 else "hidden files and folders were"
    return f"{len(listed)} {what} left alone, such as {listed[0]}."
