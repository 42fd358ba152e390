"""Names and ids that a dataset states about itself: checked where they are read, in one place.

A dataset may come from a stranger, so what it states is not carried out before it is checked. Each type accepts what
this software writes, and no other text; each function that returns a path returns one inside the folder. A link below
the folder is never followed, wherever it leads: only the folder itself may be reached through links.
`manifests.files.numbers` has the types of numbers.
"""

import os
import re
import stat
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from foundation.storage.locations import files_in, is_remote
from foundation.storage.regular_files import NotRegularFileError, kind_of
from manifests.errors import DatasetError

__all__ = [
    "FOLDERS",
    "ClipId",
    "DatasetFileName",
    "Digest",
    "FileName",
    "MediaName",
    "PathText",
    "Sha256",
    "TableFileName",
    "UnsafeValueError",
    "VideoId",
    "clip_id",
    "dataset_file_name",
    "digest",
    "file_in",
    "file_name",
    "files_of",
    "folder_in",
    "media_name",
    "path_text",
    "sha256",
    "table_file_name",
    "video_id",
]

FOLDERS = {
    "videos": (".parquet",),
    "frames": (".parquet",),
    "spans": (".parquet",),
    "clips": (".parquet",),
    "identities": (".parquet",),
    "media": (".tar",),
    "ledger": (".json", ".jsonl"),
    "windows": (".npz", ".parquet", ".tar"),
}
"""Folders of a dataset whose files it names, and how these names end."""

_TABLES = ("videos", "frames", "spans", "clips", "identities")

_MEDIA = ("media", "windows")

_NAME_BYTES = 255

_FORBIDDEN = frozenset('/\\%?#*:"<>|')
"""Separators of paths and parts of addresses, on any system."""

_VIDEO_ID = re.compile(r"(?!part-)[0-9a-z]{1,64}(-[0-9]{7,12}-[0-9]{7,12})?")
"""16 hexadecimal digits of the content; in old datasets also the first and the last tick of a stretch of it."""

_CLIP_ID = re.compile(rf"{_VIDEO_ID.pattern}-[0-9]{{7,12}}-[0-9]{{7,12}}")

_SHA256 = re.compile("[0-9a-f]{64}")

_DIGEST = re.compile("([0-9a-f]{2}){1,32}")


class UnsafeValueError(DatasetError):
    """A dataset states a name, an id or a number that none of its own can be; the message has it."""


def file_name(text: str) -> str:
    """Return `text` if it can be the name of a file of a dataset, without its folder.

    Raises:
        UnsafeValueError: it is empty, hidden or too long, or has separators or characters that cannot be printed.

    >>> file_name("part-0110-1f2e3d4c5b6a.parquet")
    'part-0110-1f2e3d4c5b6a.parquet'
    """
    if (
        not text
        or text.startswith(".")
        or not text.isprintable()
        or not _FORBIDDEN.isdisjoint(text)
        or len(text.encode()) > _NAME_BYTES
    ):
        raise UnsafeValueError(f"{_shown(text)} cannot be the name of a file of a dataset")
    return text


def dataset_file_name(text: str) -> str:
    """Return `text` if it can be the name of a file, relative to its dataset: a known folder and a name in it.

    Raises:
        UnsafeValueError: it cannot.

    >>> dataset_file_name("ledger/0123456789abcdef.json")
    'ledger/0123456789abcdef.json'
    """
    return _in_folders(text, tuple(FOLDERS))


def table_file_name(text: str) -> str:
    """Return `text` if it can be the name of a Parquet file of a table, relative to its dataset.

    Raises:
        UnsafeValueError: it cannot.
    """
    return _in_folders(text, _TABLES)


def media_name(text: str) -> str:
    """Return `text` if it can be the name of a tar with clips, relative to its dataset.

    Raises:
        UnsafeValueError: it cannot.

    >>> media_name("media/0123456789abcdef.tar")
    'media/0123456789abcdef.tar'
    """
    name = _in_folders(text, _MEDIA)
    if not name.endswith(".tar"):
        raise UnsafeValueError(f"{_shown(text)} cannot be the name of a tar of a dataset")
    return name


def video_id(text: str) -> str:
    """Return `text` if it can be the id of a video.

    Raises:
        UnsafeValueError: it cannot.
    """
    return _matching(text, _VIDEO_ID, "the id of a video")


def clip_id(text: str) -> str:
    """Return `text` if it can be the id of a clip.

    Raises:
        UnsafeValueError: it cannot.

    >>> clip_id("0123456789abcdef-0000025-0000099")
    '0123456789abcdef-0000025-0000099'
    """
    return _matching(text, _CLIP_ID, "the id of a clip")


def sha256(text: str) -> str:
    """Return `text` if it is a SHA-256 in hex, 64 digits.

    Raises:
        UnsafeValueError: it is not.
    """
    return _matching(text, _SHA256, "a sha256")


def digest(text: str) -> str:
    """Return `text` if it is a digest in hex of any length up to 64 digits.

    Raises:
        UnsafeValueError: it is not.
    """
    return _matching(text, _DIGEST, "a digest")


def path_text(text: str) -> str:
    """Return `text` if it can be a path that `foundation.storage.path_text` wrote: it holds no zero byte.

    Raises:
        UnsafeValueError: it holds one, which no path can.
    """
    if not text or "\0" in text or "%00" in text:
        raise UnsafeValueError(f"{_shown(text)} cannot be a path")
    return text


FileName = Annotated[str, AfterValidator(file_name)]
DatasetFileName = Annotated[str, AfterValidator(dataset_file_name)]
TableFileName = Annotated[str, AfterValidator(table_file_name)]
MediaName = Annotated[str, AfterValidator(media_name)]
VideoId = Annotated[str, AfterValidator(video_id)]
ClipId = Annotated[str, AfterValidator(clip_id)]
Sha256 = Annotated[str, AfterValidator(sha256)]
Digest = Annotated[str, AfterValidator(digest)]
PathText = Annotated[str, AfterValidator(path_text)]


def file_in(folder: Path, name: str) -> Path:
    """Return the path of a file inside a folder; the file may be missing.

    Args:
        folder: a dataset, a run, local or remote; it may be reached through links.
        name: relative to the folder, with `/` between its parts.

    Raises:
        UnsafeValueError: the name leads out of the folder, or through a link, or to something that is no regular file.
        OSError: a folder cannot be looked into.
    """
    path = _inside(folder, name)
    if (mode := _mode(path)) is not None and not stat.S_ISREG(mode):
        raise _refused(path, mode, "a regular file")
    return path


def folder_in(folder: Path, name: str) -> Path:
    """Return the path of a folder inside a folder; it may be missing.

    Arguments and errors as of `file_in`, but it must be a folder.
    """
    path = _inside(folder, name)
    if (mode := _mode(path)) is not None and not stat.S_ISDIR(mode):
        raise _refused(path, mode, "a folder")
    return path


def files_of(dataset: Path, folder: str, suffix: str) -> list[Path]:
    """Return the files of a folder of a dataset as `files_in` does, all of them regular files with possible names.

    Args:
        dataset: the dataset.
        folder: name of the folder, relative to the dataset.
        suffix: how the names end.

    Raises:
        UnsafeValueError: the folder or a file is a link, or no folder or regular file, or has an impossible name.
        OSError: the folder cannot be listed.
    """
    place = folder_in(dataset, folder)
    try:
        paths = files_in(place, suffix)
    except NotRegularFileError as error:
        raise UnsafeValueError(f"{error}; remove it, or put a copy of what it stands for in its place") from error
    for path in paths:
        try:
            file_name(path.name)
        except UnsafeValueError as error:
            raise UnsafeValueError(f"{place}: {error}; remove it") from error
    return paths


def _in_folders(text: str, folders: tuple[str, ...]) -> str:
    folder, _, last = text.partition("/")
    if folder not in folders or not last.endswith(FOLDERS[folder]):
        raise UnsafeValueError(f"{_shown(text)} cannot be the name of a file of a dataset in {', '.join(folders)}")
    file_name(last)
    return text


def _matching(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise UnsafeValueError(f"{_shown(text)} cannot be {what}")
    return text


def _inside(folder: Path, name: str) -> Path:
    """Return a path below a folder, whose parts but the last are folders or missing, and no links."""
    *parents, last = name.split("/")
    for part in (*parents, last.removeprefix(".")):  # unfinished files are hidden
        file_name(part)
    path = folder / name
    if parents and not is_remote(folder):
        place = str(folder)
        for part in parents:
            place = f"{place}/{part}"
            if (mode := _mode(place)) is None:
                break
            if not stat.S_ISDIR(mode):
                raise _refused(place, mode, "a folder")
    return path


def _mode(path: Path | str) -> int | None:
    """Return what a local path is, links not followed; None of a missing or a remote one."""
    if is_remote(path) and not isinstance(path, str):
        return None
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _refused(path: Path | str, mode: int, expected: str) -> UnsafeValueError:
    remedy = "; replace it by what it leads to" if stat.S_ISLNK(mode) else ""
    return UnsafeValueError(f"{path} is {kind_of(mode)}, not {expected} of its own{remedy}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}... ({len(text):,} characters)"
