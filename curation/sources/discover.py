"""Discovery of source videos in folders, globs and lists."""

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from curation.sources.entries import Entry, SourceError, SourceVideo
from curation.sources.identify import Known, identified
from curation.sources.layouts import LayoutChoice, LayoutName, Tree, labelled
from curation.sources.left_alone import is_left_alone, left_alone_below, left_alone_text
from curation.sources.list_rows import LIST_SUFFIXES
from curation.sources.lists import read_list
from curation.sources.remote import Matches, list_remote
from foundation.storage.locations import is_address, location
from foundation.storage.path_text import plain_path, text_of_path
from foundation.text import count_text

__all__ = ["Discovery", "discover"]

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
    *(".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"),
)
"""Suffixes of video files, in lower case. Other files in a folder are counted and ignored."""

_NO_VIDEO_SUFFIXES = frozenset(
    (
        *(".txt", ".md", ".log", ".ini", ".xml", ".html", ".yaml", ".yml", ".toml", ".pdf", ".doc", ".docx"),
        *(".xls", ".xlsx", ".ods", ".numbers", ".parquet", ".arrow", ".feather", ".db", ".sqlite", ".pkl", ".npy"),
        *(".npz", ".m3u", ".m3u8", ".pls", ".srt", ".vtt", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"),
    )
)
"""Suffixes of files that are no video and no list that can be read, in lower case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Discovery:
    """Videos found in the source that the user named."""

    videos: tuple[SourceVideo, ...]
    """In the order of their paths."""
    ignored_files: int
    """Files without the suffix of a video."""
    left_alone: tuple[str, ...] = ()
    """Hidden files and folders, and folders of systems, which were not read."""
    unreadable_folders: tuple[str, ...]
    """Folders that could not be listed, with the reason."""
    layout: LayoutName | None = None
    """Of a folder; None of anything else."""
    notes: tuple[str, ...] = ()
    """Sentences for the user about how the source was read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Files:
    """Videos of a pattern or a list, or a single one."""

    entries: list[Entry]
    ignored_files: int = 0
    left_alone: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def discover(
    spec: str,
    layout: LayoutChoice = "auto",
    *,
    limit: int | None = None,
    whole: bool = True,
    known: Known | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Discovery:
    """List the videos that `spec` names: a folder, a file, a glob pattern, or a list, local or an address.

    A folder is walked with its subfolders, links followed once; its layout gives the speakers. A list has a column.
    Hidden files and folders are left alone, unless `spec` names them.

    Args:
        spec: the source.
        layout: of the data set's folder; `auto`: recognised by the names of its files.
        limit: return this many videos at most, the first by path; the others are not read.
        whole: whether to read local files whole for their ids, otherwise their samples.
        known: files that a dataset knows; where path, size and samples are the same, the rest is not read again.
        told: is called with the number and the bytes of local files before they are read, where it takes a while.

    Raises:
        SourceError: nothing is there, a list or annotation is not what it should be, or a layout was named for
            a source that is no folder.
        StorageError: an address whose protocol is unknown, or whose package is not installed.
    """
    problems: list[str] = []
    found = _found(spec, problems)
    if isinstance(found, Tree):
        if not found.videos and not problems:
            raise SourceError(
                f"--source {spec!r} holds no video; known are files called *{', *'.join(VIDEO_SUFFIXES)}"
                f"{_also(found.left_alone)}"
            )
        name, labels = labelled(found, layout)
        if found.videos and not labels.entries:
            raise SourceError(
                f"--source {spec!r} holds {count_text(len(found.videos), 'video')}, and layout {name} takes none: "
                f"{' '.join(labels.notes)} --layout folder takes all"
            )
        videos, conflicts = identified(labels.entries, limit, whole=whole, known=known, told=told)
        return Discovery(
            videos=videos,
            ignored_files=len(found.others),
            left_alone=found.left_alone,
            unreadable_folders=tuple(problems),
            layout=name,
            notes=(*labels.notes, *conflicts),
        )
    if layout not in ("auto", "folder"):
        raise SourceError(
            f"--layout {layout} says how a folder lies, and --source {spec!r} is none; give the data set's folder, or "
            "leave --layout out"
        )
    videos, conflicts = identified(found.entries, limit, whole=whole, known=known, told=told)
    return Discovery(
        videos=videos,
        ignored_files=found.ignored_files,
        left_alone=found.left_alone,
        unreadable_folders=(),
        notes=(*found.notes, *conflicts),
    )


def _also(left_alone: Sequence[str]) -> str:
    return f". {left_alone_text(left_alone)} Name one as --source to read it" if left_alone else ""


def _found(spec: str, problems: list[str]) -> Tree | _Files:
    """Return the folder that `spec` names, or the videos."""
    if not is_address(spec) and os.path.isdir(spec):  # noqa: PTH112 - a glob pattern is not always a valid Path
        return _walk(Path(spec), problems)
    is_there = is_address(spec) or os.path.exists(spec)  # noqa: PTH110
    is_web = spec.startswith(("http://", "https://"))  # its question mark begins a query
    is_pattern = glob.has_magic(spec) and not is_web and (is_address(spec) or not is_there)
    suffix = PurePosixPath(urlsplit(spec).path if is_address(spec) else spec).suffix.lower()
    if suffix in LIST_SUFFIXES and not is_pattern:
        videos = read_list(location(spec))
        return _Files(entries=videos.entries, notes=videos.notes)
    if suffix in (*LIST_SUFFIXES, *_NO_VIDEO_SUFFIXES) and (is_there or is_pattern):
        raise SourceError(
            f"--source {spec!r} is called neither like a video nor like one list of videos; a list is called "
            f"*{', *'.join(LIST_SUFFIXES)}, and one of paths alone needs a first line 'path'"
        )
    if is_address(spec):
        listed = list_remote(spec, VIDEO_SUFFIXES)
        return listed if isinstance(listed, Tree) else _matched(spec, listed)
    if is_there:
        return _Files(entries=[Entry(path=Path(spec), source=Path(spec).absolute().parent.name)])
    matches = sorted(map(Path, glob.glob(spec, recursive=True)))  # noqa: PTH207 - the pattern may be absolute
    folders = [match for match in matches if match.is_dir()]
    found = _matched(
        spec, Matches(files=tuple(match for match in matches if match not in folders), folders=tuple(folders))
    )
    if not found.entries:
        raise SourceError(
            f"--source {spec!r}: no such file or folder, and as a pattern it matches no file{_also(found.left_alone)}"
            f"{''.join(f'. {note}' for note in found.notes)}"
        )
    return found


def _matched(spec: str, matches: Matches) -> _Files:
    """Return the videos among the matches of a pattern.

    Files without the suffix of a video are taken where the pattern names their suffix, or where there is no other.
    """
    named = plain_path(location(spec)).parts if is_address(spec) else PurePosixPath(spec).parts
    hidden = {path: left_alone_below(str(plain_path(path)), named) for path in (*matches.files, *matches.folders)}
    files = [path for path in matches.files if hidden[path] is None]
    folders = [path for path in matches.folders if hidden[path] is None]
    videos = [path for path in files if plain_path(path).suffix.lower() in VIDEO_SUFFIXES]
    suffix = PurePosixPath(named[-1]).suffix
    taken = videos if videos and (not suffix or glob.has_magic(suffix)) else files
    looked_past = (
        f"{count_text(len(folders), 'folder')} that the pattern matches, such as {text_of_path(folders[0])}, "
        f"{'was' if len(folders) == 1 else 'were'} not looked into; `**/` in a pattern means a folder and all below it."
        if folders and "**" not in spec
        else None
    )
    return _Files(
        entries=[Entry(path=path, source=plain_path(path.absolute()).parent.name) for path in taken],
        ignored_files=len(files) - len(taken),
        left_alone=tuple(dict.fromkeys(name for name in hidden.values() if name is not None)),
        notes=() if looked_past is None else (looked_past,),
    )


def _walk(root: Path, problems: list[str]) -> Tree:
    names: list[str] = []
    left_alone: list[str] = []
    visited: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        problems.append(f"{text_of_path(Path(error.filename))}: {error.strerror}")

    for folder, subfolders, files in os.walk(root, onerror=note, followlinks=True):
        stat = os.stat(folder)  # noqa: PTH116 - one call for a name that os.walk gave
        if (stat.st_dev, stat.st_ino) in visited:  # links in a circle, or two ways to one folder
            subfolders.clear()
            continue
        visited.add((stat.st_dev, stat.st_ino))
        below = Path(folder).relative_to(root)
        left_alone += [str(below / name) for name in sorted((*subfolders, *files)) if is_left_alone(name)]
        subfolders[:] = sorted(name for name in subfolders if not is_left_alone(name))
        names += [str(below / name) for name in sorted(files) if not is_left_alone(name)]
    videos = [name for name in names if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES]
    others = sorted(set(names).difference(videos))
    root_name = root.absolute().name or "root"
    return Tree(root=root, name=root_name, videos=tuple(videos), others=tuple(others), left_alone=tuple(left_alone))
