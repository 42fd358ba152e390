"""Finding the source videos: folders, globs and lists; what each file is called, and which hold the same content."""

import csv
import glob
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from curation.remote_sources import list_remote
from manifests.files import text_of_path
from manifests.storage import content_version, edges, is_address, is_remote, location, reaching

__all__ = ["Discovery", "SourceError", "SourceVideo", "discover", "fingerprint", "listed_again"]

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"),
)
"""What a video file is called, in lower case. Other files in a folder are counted, and left alone."""

_CHUNK_BYTES = 1 << 20

_REMOTE_LOOKS = 32
"""Remote files that are looked at at the same time."""


class SourceError(ValueError):
    """The sources that the user named cannot be listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceVideo:
    """One file that the user asked to curate."""

    path: Path
    video_id: str
    """16 hex digits: the fingerprint of the content, or of the path where the content cannot be read."""
    source: str
    """The collection that it belongs to: the rows of the statistics."""
    speaker_id: str | None
    size_bytes: int
    duplicate_of: Path | None = None
    """The file with the same content that is analysed in its stead."""
    read_error: str | None = None
    """Why the file cannot be read at all."""
    version: str | None = None
    """What a remote storage called the content when the file was listed, such as an ETag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """What was found under the sources that the user named."""

    videos: tuple[SourceVideo, ...]
    """In the order of their paths."""
    ignored_files: int
    """Files that are not called like videos."""
    unreadable_folders: tuple[str, ...]
    """Folders that could not be listed, with the reason."""


def fingerprint(path: Path) -> str:
    """Return 16 hex digits of a file's content: its size, its first and its last MiB.

    Renaming a file changes nothing; replacing it does. The whole file is not read, for there may be terabytes of them.

    Raises:
        OSError: the file cannot be read.
    """
    return _content(path)[0]


def _content(path: Path) -> tuple[str, int]:
    """Return the fingerprint of a file and its length in bytes."""
    if is_remote(path):
        size, first, last = edges(path, _CHUNK_BYTES)
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


def listed_again(path: Path, *, video_id: str, source: str, speaker_id: str | None) -> SourceVideo | None:
    """Return a video that was listed before; None where its file has other content now.

    Raises:
        OSError: the file cannot be read.
    """
    version = content_version(path)
    content, size = _content(path)
    if content != video_id:
        return None
    return SourceVideo(
        path=path, video_id=video_id, source=source, speaker_id=speaker_id, size_bytes=size, version=version
    )


def discover(spec: str) -> Discovery:
    """List the videos that `spec` names: a folder, a file, a glob pattern, or a CSV list, local or an address.

    A folder is walked with its subfolders, links followed once. Its videos belong to the source that their first
    subfolder names, those directly in it to the folder itself. A CSV has a column `path` (relative to the CSV, or an
    address) and may have `source` and `speaker_id`.

    Raises:
        SourceError: nothing is there, or the list cannot be read.
        StorageError: an address whose protocol is unknown, or whose package is not installed.
    """
    problems: list[str] = []
    ignored = 0
    if is_address(spec) and not spec.lower().endswith(".csv"):
        listing = list_remote(spec, VIDEO_SUFFIXES)
        entries = [_Entry(path, source, None) for path, source in listing.videos]
        ignored = listing.ignored_files
    elif os.path.isdir(spec):  # noqa: PTH112 - a glob pattern is not always a valid Path
        entries, ignored = _walk(Path(spec), problems)
    elif spec.lower().endswith(".csv"):
        entries = _csv_entries(location(spec))
    elif os.path.exists(spec):  # noqa: PTH110
        entries = [_Entry(Path(spec), Path(spec).absolute().parent.name, None)]
    else:
        matches = sorted(glob.glob(spec, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        entries = [_Entry(Path(m), Path(m).absolute().parent.name, None) for m in matches if Path(m).is_file()]
        if not entries:
            raise SourceError(f"--source {spec!r}: no such file or folder, and as a pattern it matches no file")
    if not entries and not problems:
        raise SourceError(f"--source {spec!r} holds no video; known are files called *{', *'.join(VIDEO_SUFFIXES)}")
    return Discovery(videos=_identified(entries), ignored_files=ignored, unreadable_folders=tuple(problems))


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    source: str
    speaker_id: str | None


def _walk(root: Path, problems: list[str]) -> tuple[list[_Entry], int]:
    entries: list[_Entry] = []
    ignored = 0
    visited: set[tuple[int, int]] = set()
    root_name = root.absolute().name or "root"

    def note(error: OSError) -> None:
        problems.append(f"{text_of_path(Path(error.filename))}: {error.strerror}")

    for folder, subfolders, names in os.walk(root, onerror=note, followlinks=True):
        stat = os.stat(folder)  # noqa: PTH116 - one call for a name that os.walk gave
        if (stat.st_dev, stat.st_ino) in visited:  # links in a circle, or two ways to one folder
            subfolders.clear()
            continue
        visited.add((stat.st_dev, stat.st_ino))
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() not in VIDEO_SUFFIXES:
                ignored += 1
                continue
            parts = path.relative_to(root).parts
            entries.append(_Entry(path, parts[0] if len(parts) > 1 else root_name, None))
    return entries, ignored


def _csv_entries(path: Path) -> list[_Entry]:
    try:
        with reaching(path), path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if "path" not in (reader.fieldnames or []):
                raise SourceError(f"{path}: the first line names columns {reader.fieldnames}; one must be 'path'")
            unknown = set(reader.fieldnames or []) - {"path", "source", "speaker_id"}
            if unknown:
                raise SourceError(f"{path}: columns {sorted(unknown)} are unknown; known: path, source, speaker_id")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a CSV list: {error}") from error
    entries = []
    for number, row in enumerate(rows, start=2):
        if not row["path"]:
            raise SourceError(f"{path}:{number}: the column 'path' is empty")
        video = location(row["path"]) if is_address(row["path"]) else path.parent / row["path"]
        entries.append(_Entry(video, row.get("source") or path.stem, row.get("speaker_id") or None))
    return entries


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file was when it was listed."""

    entry: _Entry
    video_id: str
    size_bytes: int = 0
    version: str | None = None
    read_error: str | None = None


def _look(entry: _Entry) -> _Look:
    try:
        version = content_version(entry.path)
        video_id, size = _content(entry.path)
    except OSError as problem:
        path_id = hashlib.sha256(b"path\0" + _name(entry)).hexdigest()[:16]
        return _Look(entry, path_id, read_error=f"{problem.strerror or problem}")
    return _Look(entry, video_id, size, version)


def _name(entry: _Entry) -> bytes:
    return os.fsencode(str(entry.path))


def _identified(entries: list[_Entry]) -> tuple[SourceVideo, ...]:
    """Fingerprint every file; of those with the same content the first by path is analysed."""
    first_with: dict[str, Path] = {}
    videos = []
    ordered = sorted(set(entries), key=_name)
    with ThreadPoolExecutor(_REMOTE_LOOKS) as looks:  # a remote file keeps waiting, a local one does not
        remote = any(is_remote(entry.path) for entry in ordered)
        for look in (looks.map if remote else map)(_look, ordered):
            duplicate_of = None if look.read_error else first_with.get(look.video_id)
            first_with.setdefault(look.video_id, look.entry.path)
            videos.append(
                SourceVideo(
                    path=look.entry.path,
                    video_id=look.video_id,
                    source=look.entry.source,
                    speaker_id=look.entry.speaker_id,
                    size_bytes=look.size_bytes,
                    duplicate_of=duplicate_of,
                    read_error=look.read_error,
                    version=look.version,
                )
            )
    return tuple(videos)
