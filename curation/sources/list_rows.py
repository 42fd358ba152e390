"""Rows of a list of videos, out of a table with a header (CSV, TSV) or out of JSON.

A table may be separated by commas, semicolons or tabs: the first line tells by which, whatever the file is called. Text
is UTF-8, or UTF-16 with the mark at its beginning that spreadsheets write. A JSON list has objects with the columns as
keys, or paths alone; in JSON Lines each line is one of these.
"""

import codecs
import csv
import difflib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.sources.entries import SourceError
from foundation.storage.locations import is_remote, store_errors
from foundation.storage.path_text import plain_path
from foundation.storage.regular_files import open_regular
from manifests.vocabulary import LABEL_NAMES

__all__ = ["COLUMNS", "LIST_SUFFIXES", "ListRow", "read_rows"]

_PLACES = ("path", "source", "speaker_id", "start_s", "end_s")

COLUMNS = (*_PLACES, *LABEL_NAMES)
"""Columns that are read."""

_TABLES = (".csv", ".tsv")

_JSON = (".json", ".jsonl", ".ndjson")

LIST_SUFFIXES = (*_TABLES, *_JSON)
"""Suffixes of lists, in lower case."""

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}

_OTHER_NAMES = {
    **dict.fromkeys(("file", "file_path", "filepath", "filename", "file_name", "video", "video_path"), "path"),
    **dict.fromkeys(("speaker", "speakerid"), "speaker_id"),
    **dict.fromkeys(("start", "start_time", "start_sec"), "start_s"),
    **dict.fromkeys(("end", "end_time", "end_sec"), "end_s"),
}
"""Names that people give to what a column is for: to take them for columns of their own would lose what they say."""

_ALIKE = 0.85
"""Likeness of two words, 0 to 1, from which one is taken for the other, misspelt."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row of a list."""

    place: str
    """File and line, or number of the entry."""
    values: Mapping[str, str]
    """Texts by the names of the columns that are read; empty where there is none."""
    decimal_comma: bool = False
    """Whether a number may be written with a comma, which separates no columns here."""


def read_rows(path: Path, more: Sequence[str] = ()) -> tuple[list[ListRow], tuple[str, ...]]:
    """Return the rows of a list, and the names of its own columns, which are not read.

    Args:
        path: the list.
        more: names of columns that are read beside those of `COLUMNS`.

    Raises:
        SourceError: it cannot be read as a list; the message names the line.
        StorageError: its store cannot be reached.
    """
    suffix = plain_path(path).suffix.lower()
    text, columns = _text(path), (*COLUMNS, *more)
    if suffix == ".json":
        return _of_entries(_json_entries(path, text), columns)
    if suffix in _JSON:
        return _of_entries(_json_lines(path, text), columns)
    return _of_table(path, text, columns)


def _text(path: Path) -> str:
    try:
        with store_errors(path), path.open("rb") if is_remote(path) else open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read as a list of videos: {error.strerror or error}") from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(f"{path}:{line}: is not UTF-8 text; save the list as UTF-8") from error


def _of_table(path: Path, text: str, columns: Sequence[str]) -> tuple[list[ListRow], tuple[str, ...]]:
    delimiter = _delimiter(path, next(io.StringIO(text, newline=""), ""))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = next(lines)
    names = [_name(name) for name in header]
    own = _own_columns(f"{path}:1", names, header, columns)
    rows = []
    try:
        for cells in lines:
            place = f"{path}:{lines.line_num}"
            if len(cells) > len(names):
                raise SourceError(
                    f"{place}: has more values than the first line has columns; quote a value with "
                    f"a {_DELIMITERS[delimiter]} in it"
                )
            if cells:
                values = {name: cell for name, cell in zip(names, cells, strict=False) if name in columns}
                rows.append(ListRow(place, dict.fromkeys(columns, "") | values, decimal_comma=delimiter != ","))
    except csv.Error as error:
        raise SourceError(f"{path}:{lines.line_num}: cannot be read as a table: {error}") from error
    return rows, own


def _delimiter(path: Path, first_line: str) -> str:
    """Return the sign that separates the columns, by which the first line names `path`."""
    headers = {delimiter: _header(first_line, delimiter) for delimiter in _DELIMITERS}
    for delimiter, names in headers.items():
        if "path" in map(_name, names):
            return delimiter
    names = max(headers.values(), key=len)
    meant = next((f"; rename {name!r}" for name in names if _meant(_name(name)) == "path"), "")
    raise SourceError(f"{path}:1: the first line names columns {names}; one must be 'path'{meant}")


def _header(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])


def _json_entries(path: Path, text: str) -> Iterator[tuple[str, object]]:
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceError(f"{path}:{error.lineno}: is not JSON: {error.msg} (column {error.colno})") from error
    if not isinstance(entries, list):
        raise SourceError(f"{path}: is no list of videos; a list is [...] of objects with 'path', or of paths")
    yield from ((f"{path}: entry {number}", entry) for number, entry in enumerate(entries, start=1))


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise SourceError(f"{path}:{number}: is not JSON: {error.msg} (column {error.colno})") from error


def _of_entries(entries: Iterator[tuple[str, object]], columns: Sequence[str]) -> tuple[list[ListRow], tuple[str, ...]]:
    rows, own = [], dict[str, None]()
    for place, entry in entries:
        fields = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(fields, dict):
            raise SourceError(f"{place}: is {entry!r:.60}; give an object with 'path', or a path")
        names = [_name(key) for key in fields]
        own.update(dict.fromkeys(_own_columns(place, names, list(fields), columns)))
        if "path" not in names:
            raise SourceError(f"{place}: has no 'path'; it has {', '.join(map(repr, fields)) or 'nothing'}")
        values = zip(names, fields.values(), strict=True)
        texts = {name: _text_of(value, name, place) for name, value in values if name in columns}
        rows.append(ListRow(place, dict.fromkeys(columns, "") | texts))
    return rows, tuple(own)


def _text_of(value: object, name: str, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) and name == "consent":
        return "yes" if value else "no"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SourceError(f"{place}: {name} is {value!r:.60}; give a text or a number")
    return str(value)


def _name(text: str) -> str:
    """Return a column's name with the case, the signs and the spelling of the names that are read."""
    name = text.strip().lower().replace(" ", "_").replace("-", "_")
    return "licence" if name == "license" else name


def _own_columns(place: str, names: Sequence[str], written: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are not read, as they are written.

    Raises:
        SourceError: a column is there twice, or one is called much like a column that is not there.
    """
    twice = next((name for name in names if name in columns and names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{place}: the column {twice!r} is there twice")
    own = [(name, text) for name, text in zip(names, written, strict=True) if name and name not in columns]
    for name, text in own:
        meant = _meant(name)
        if meant is not None and meant not in names:
            raise SourceError(
                f"{place}: the column {text!r} may be meant as {meant!r}; rename it so, or to something else if it is "
                f"not (columns that are read: {', '.join(columns)})"
            )
    return tuple(text for _, text in own)


def _meant(name: str) -> str | None:
    alike = difflib.get_close_matches(name, _PLACES, n=1, cutoff=_ALIKE)
    return _OTHER_NAMES.get(name) or next(iter(alike), None)
