"""Discovery of source videos in folders, globs and lists: their ids, and which files have the same content."""

import glob
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from curation.sources.csv_list import read_csv_list
from curation.sources.entries import Entry, SourceError, SourceVideo
from curation.sources.layouts import LayoutChoice, LayoutName, Tree, labelled, note
from curation.sources.remote import list_remote
from foundation.storage.locations import content_version, is_address, is_remote, length_and_ends, location
from foundation.storage.path_text import text_of_path

__all__ = ["Discovery", "discover", "fingerprint", "listed_again"]

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"),
)
"""Suffixes of video files, in lower case. Other files in a folder are counted and ignored."""

_CHUNK_BYTES = 1 << 20

_REMOTE_LOOKS = 32
"""Remote files that are inspected at the same time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """Videos found in the source that the user named."""

    videos: tuple[SourceVideo, ...]
    """In the order of their paths."""
    ignored_files: int
    """Files without the suffix of a video."""
    unreadable_folders: tuple[str, ...]
    """Folders that could not be listed, with the reason."""
    layout: LayoutName | None = None
    """Of a folder; None of anything else."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about how the folder was read."""


def fingerprint(path: Path) -> str:
    """Return 16 hex digits of a file's content: its size, its first and its last MiB.

    Renaming a file changes nothing; replacing it does. Complete files are not read: there may be terabytes.

    Raises:
        OSError: the file cannot be read.
    """
    return _content(path)[0]


def _content(path: Path) -> tuple[str, int]:
    """Return the fingerprint of a file and its length in bytes."""
    if is_remote(path):
        size, first, last = length_and_ends(path, _CHUNK_BYTES)
    else:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(_CHUNK_BYTES)
            file.seek(max(0, size - _CHUNK_BYTES))
            last = file.read(_CHUNK_BYTES)
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    digest.update(first)
    digest.update(last)
    return digest.hexdigest()[:16], size


def listed_again(video: SourceVideo) -> SourceVideo | None:
    """Return a video that was listed before; None where its file has other content now.

    Raises:
        OSError: the file cannot be read.
    """
    version = content_version(video.path)
    content, size = _content(video.path)
    return replace(video, size_bytes=size, version=version) if content == video.video_id else None


def discover(spec: str, layout: LayoutChoice = "auto") -> Discovery:
    """List the videos that `spec` names: a folder, a file, a glob pattern, or a CSV list, local or an address.

    A folder is walked with its subfolders, links followed once; its layout gives the speakers. A CSV list has a column.

    Args:
        spec: the source.
        layout: of the data set's folder; `auto`: recognised by the names of its files.

    Raises:
        SourceError: nothing is there, a list or annotation is not what it should be, or a layout was named for
            a source that is no folder.
        StorageError: an address whose protocol is unknown, or whose package is not installed.
    """
    problems: list[str] = []
    found = _found(spec, problems)
    if isinstance(found, Tree):
        if not found.videos and not problems:
            raise SourceError(f"--source {spec!r} holds no video; known are files called *{', *'.join(VIDEO_SUFFIXES)}")
        name, labels = labelled(found, layout)
        if found.videos and not labels.entries:
            raise SourceError(
                f"--source {spec!r} holds {len(found.videos)} videos, and layout {name} takes none: "
                f"{' '.join(labels.notes)} --layout folder takes all"
            )
        videos, conflicts = _identified(labels.entries)
        return Discovery(
            videos=videos,
            ignored_files=len(found.others),
            unreadable_folders=tuple(problems),
            layout=name,
            notes=(*labels.notes, *conflicts),
        )
    if layout not in ("auto", "folder"):
        raise SourceError(
            f"--layout {layout} says how a folder lies, and --source {spec!r} is none; give the data set's folder, or "
            "leave --layout out"
        )
    videos, conflicts = _identified(found)
    return Discovery(videos=videos, ignored_files=0, unreadable_folders=(), notes=conflicts)


def _found(spec: str, problems: list[str]) -> Tree | list[Entry]:
    """Return the folder that `spec` names, or the videos."""
    if is_address(spec) and not spec.lower().endswith(".csv"):
        found = list_remote(spec, VIDEO_SUFFIXES)
        return found if isinstance(found, Tree) else [Entry(path=path, source=path.parent.name) for path in found]
    if os.path.isdir(spec):  # noqa: PTH112 - a glob pattern is not always a valid Path
        return _walk(Path(spec), problems)
    if spec.lower().endswith(".csv"):
        return read_csv_list(location(spec))
    if os.path.exists(spec):  # noqa: PTH110
        return [Entry(path=Path(spec), source=Path(spec).absolute().parent.name)]
    matches = sorted(glob.glob(spec, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    entries = [Entry(path=Path(m), source=Path(m).absolute().parent.name) for m in matches if Path(m).is_file()]
    if not entries:
        raise SourceError(f"--source {spec!r}: no such file or folder, and as a pattern it matches no file")
    return entries


def _walk(root: Path, problems: list[str]) -> Tree:
    videos: list[str] = []
    others: list[str] = []
    visited: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        problems.append(f"{text_of_path(Path(error.filename))}: {error.strerror}")

    for folder, subfolders, names in os.walk(root, onerror=note, followlinks=True):
        stat = os.stat(folder)  # noqa: PTH116 - one call for a name that os.walk gave
        if (stat.st_dev, stat.st_ino) in visited:  # links in a circle, or two ways to one folder
            subfolders.clear()
            continue
        visited.add((stat.st_dev, stat.st_ino))
        subfolders.sort()
        below = Path(folder).relative_to(root)
        for name in sorted(names):
            (videos if Path(name).suffix.lower() in VIDEO_SUFFIXES else others).append(str(below / name))
    return Tree(root=root, name=root.absolute().name or "root", videos=tuple(videos), others=tuple(others))


@dataclass(frozen=True, slots=True)
class _Look:
    """Properties of a file when it was listed."""

    entry: Entry
    video_id: str
    size_bytes: int = 0
    version: str | None = None
    read_error: str | None = None


def _look(entry: Entry) -> _Look:
    try:
        version = content_version(entry.path)
        video_id, size = _content(entry.path)
    except OSError as problem:
        path_id = hashlib.sha256(b"path\0" + _name(entry)).hexdigest()[:16]
        return _Look(entry, path_id, read_error=f"{problem.strerror or problem}")
    return _Look(entry, video_id, size, version)


def _name(entry: Entry) -> bytes:
    return os.fsencode(str(entry.path))


def _identified(entries: Sequence[Entry]) -> tuple[tuple[SourceVideo, ...], tuple[str, ...]]:
    """Fingerprint every file; of those with the same content the first by path is analysed.

    Returns:
        The videos by path, and a line about copies whose labels differ from those of the first.
    """
    first_with: dict[str, Entry] = {}
    videos = []
    differing = []
    ordered = sorted(set(entries), key=_name)
    with ThreadPoolExecutor(_REMOTE_LOOKS) as looks:  # a remote file keeps waiting, a local one does not
        remote = any(is_remote(entry.path) for entry in ordered)
        for look in (looks.map if remote else map)(_look, ordered):
            entry = look.entry
            original = None if look.read_error else first_with.get(look.video_id)
            first_with.setdefault(look.video_id, entry)
            if original and (entry.speaker_id not in (None, original.speaker_id) or entry.trims != original.trims):
                differing.append(text_of_path(entry.path))
            videos.append(
                SourceVideo(
                    path=entry.path,
                    video_id=look.video_id,
                    source=entry.source,
                    speaker_id=entry.speaker_id,
                    trims=entry.trims,
                    size_bytes=look.size_bytes,
                    duplicate_of=original.path if original else None,
                    read_error=look.read_error,
                    version=look.version,
                )
            )
    note_text = "are copies with another speaker or other stretches than the first by path, whose hold"
    return tuple(videos), note(differing, note_text)
