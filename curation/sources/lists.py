"""Lists of videos: paths, sources, speakers, and the stretches to curate.

Several rows with the same path are several stretches of one video.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.sources.entries import Entry, SourceError
from curation.sources.list_rows import COLUMNS, ListRow, read_rows
from curation.sources.trims import Trim, overlap
from curation.sources.video_labels import VideoLabels
from foundation.storage.locations import is_address, is_remote, location
from foundation.storage.path_text import plain_path
from manifests.files.names import UnsafeValueError
from manifests.vocabulary import LABEL_NAMES

__all__ = ["VideoList", "beside", "read_list", "trim_of"]


@dataclass(frozen=True, slots=True)
class VideoList:
    """Content of a list."""

    entries: list[Entry]
    notes: tuple[str, ...] = ()
    """Sentences for the user about what of it was not read."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: str
    """File and line."""
    entry: Entry
    trim: Trim


def read_list(path: Path) -> VideoList:
    """Return the videos of a list. Column `path` is an address or relative to the list; the others are optional.

    Raises:
        SourceError: it cannot be read, or contradicts itself; the message names the line.
        StorageError: an address whose protocol is unknown, or whose package is not installed.
    """
    listed, own = read_rows(path)
    if not listed:
        raise SourceError(f"{path}: lists no video")
    rows_of: dict[str, list[_Row]] = {}
    for row in listed:
        read = _read(row, path)
        rows_of.setdefault(_file(read.entry.path), []).append(read)
    columns = "column of its own is" if len(own) == 1 else "columns of its own are"
    note = f"{path}: {len(own)} {columns} not read: {', '.join(own)}. Read are {', '.join(COLUMNS)}."
    return VideoList([_entry(rows) for rows in rows_of.values()], (note,) if own else ())


def _file(path: Path) -> str:
    """Return the file that a path leads to, so that two spellings of it are one video."""
    return str(path) if is_remote(path) else os.path.realpath(path)


def _read(row: ListRow, path: Path) -> _Row:
    name = row.values["path"]
    if not name:
        raise SourceError(f"{row.place}: the column 'path' is empty")
    video = location(name) if is_address(name) else beside(path, name)
    source, speaker = row.values["source"].strip(), row.values["speaker_id"].strip()
    try:
        labels = VideoLabels.of(row.values)
    except UnsafeValueError as error:
        raise SourceError(f"{row.place}: {error}") from error
    entry = Entry(path=video, source=source or plain_path(path).stem, speaker_id=speaker or None, labels=labels)
    return _Row(row.place, entry, trim_of(row))


def beside(path: Path, name: str) -> Path:
    """Return a path that a list gives relative to itself; what signs the list's own address does not sign it."""
    if is_remote(path) and (address := str(path)).startswith(("http://", "https://")):
        path = location(address.partition("?")[0].partition("#")[0])
    return path.parent / name


def trim_of(row: ListRow) -> Trim:
    """Return the stretch that a row names.

    Raises:
        SourceError: its ends are no seconds, or do not follow one another; the message names the line.
    """
    start_s, end_s = _seconds(row, "start_s"), _seconds(row, "end_s")
    if end_s is not None and (start_s or 0.0) >= end_s:
        raise SourceError(
            f"{row.place}: start_s {start_s or 0.0:g} is not before end_s {end_s:g}; a stretch begins at its start_s "
            "and ends before its end_s, both in seconds of the video"
        )
    return Trim(start=start_s or 0.0, end=end_s)


def _seconds(row: ListRow, name: Literal["start_s", "end_s"]) -> float | None:
    text = row.values[name].strip()
    if not text:
        return None
    try:
        seconds = float(text.replace(",", ".") if row.decimal_comma else text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise SourceError(
            f"{row.place}: {name} is {text!r}; write seconds from the video's start as a number from 0 up, such as "
            "12.5, or leave it empty"
        )
    return seconds


def _entry(rows: Sequence[_Row]) -> Entry:
    """Join the rows of one video.

    Raises:
        SourceError: they contradict each other.
    """
    first, *others = rows
    for row in others:
        for name in ("speaker_id", "source", *LABEL_NAMES):
            ours, theirs = (
                getattr(one if hasattr(one, name) else one.labels, name) for one in (row.entry, first.entry)
            )
            if ours != theirs:
                raise SourceError(
                    f"{row.line}: {name} of {row.entry.path} is {ours!r}, and {theirs!r} at {first.line}; all "
                    "stretches of a video are of one person and one source: cut the file in two, or leave one out"
                )
    trims = sorted({row.trim for row in rows} if _all_whole(rows) else (row.trim for row in rows), key=_start)
    shared = overlap(trims)
    if shared is not None:
        line = next(row.line for row in reversed(rows) if row.trim in shared)
        raise SourceError(
            f"{line}: the stretches {shared[0]} and {shared[1]} of {first.entry.path} overlap; give each second once"
        )
    return Entry(
        path=first.entry.path,
        source=first.entry.source,
        speaker_id=first.entry.speaker_id,
        labels=first.entry.labels,
        trims=() if _all_whole(rows) else tuple(trims),
    )


def _all_whole(rows: Sequence[_Row]) -> bool:
    """Return whether every row names the complete video."""
    return all(row.trim == Trim() for row in rows)


def _start(trim: Trim) -> float:
    return trim.start
