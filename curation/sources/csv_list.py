"""CSV lists of videos: paths, sources, speakers, and the stretches to curate.

Several rows with the same path are several stretches of one video.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.sources.entries import Entry, SourceError
from curation.sources.trims import Trim, overlap
from foundation.storage.locations import is_address, location, store_errors

__all__ = ["read_csv_list"]

_COLUMNS = ("path", "source", "speaker_id", "start_s", "end_s")


@dataclass(frozen=True, slots=True)
class _Row:
    line: str
    """File and line."""
    entry: Entry
    trim: Trim


def read_csv_list(path: Path) -> list[Entry]:
    """Return the videos of a CSV list. Column `path` is an address or relative to the list; the others are optional.

    Raises:
        SourceError: it cannot be read, or contradicts itself; the message names the line.
        StorageError: an address whose protocol is unknown, or whose package is not installed.
    """
    rows_of: dict[Path, list[_Row]] = {}
    for row in _rows(path):
        rows_of.setdefault(row.entry.path, []).append(row)
    return [_entry(rows) for rows in rows_of.values()]


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with store_errors(path), path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            if "path" not in names:
                raise SourceError(f"{path}: the first line names columns {names}; one must be 'path'")
            unknown = set(names) - set(_COLUMNS)
            if unknown:
                raise SourceError(f"{path}: columns {sorted(unknown)} are unknown; known: {', '.join(_COLUMNS)}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a CSV list: {error}") from error
    for number, row in rows:
        line = f"{path}:{number}"
        if None in row:
            raise SourceError(f"{line}: has more values than the first line has columns; quote a value with a comma")
        if not row["path"]:
            raise SourceError(f"{line}: the column 'path' is empty")
        video = location(row["path"]) if is_address(row["path"]) else path.parent / row["path"]
        entry = Entry(path=video, source=row.get("source") or path.stem, speaker_id=row.get("speaker_id") or None)
        yield _Row(line, entry, _trim(row, line))


def _trim(row: Mapping[str, str | None], line: str) -> Trim:
    start_s, end_s = _seconds(row, "start_s", line), _seconds(row, "end_s", line)
    if end_s is not None and (start_s or 0.0) >= end_s:
        raise SourceError(
            f"{line}: start_s {start_s or 0.0:g} is not before end_s {end_s:g}; a stretch begins at its start_s and "
            "ends before its end_s, both in seconds of the video"
        )
    return Trim(start=start_s or 0.0, end=end_s)


def _seconds(row: Mapping[str, str | None], name: Literal["start_s", "end_s"], line: str) -> float | None:
    text = (row.get(name) or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise SourceError(
            f"{line}: {name} is {text!r}; write seconds from the video's start as a number from 0 up, such as 12.5, "
            "or leave it empty"
        )
    return seconds


def _entry(rows: Sequence[_Row]) -> Entry:
    """Join the rows of one video.

    Raises:
        SourceError: they contradict each other.
    """
    first, *others = rows
    for row in others:
        for name in ("speaker_id", "source"):
            ours, theirs = getattr(row.entry, name), getattr(first.entry, name)
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
        trims=() if _all_whole(rows) else tuple(trims),
    )


def _all_whole(rows: Sequence[_Row]) -> bool:
    """Return whether every row names the complete video."""
    return all(row.trim == Trim() for row in rows)


def _start(trim: Trim) -> float:
    return trim.start
