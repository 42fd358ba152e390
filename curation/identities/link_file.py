"""File of the user's links: which faces are one person, and which are not.

A CSV file with the columns `link`, `first` and `second`. `link` is `must` or `cannot`; the others name a face each: the
id of a clip that shows it, or `<video_id>:<track_id>` as in table `identities`.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curation.identities.links import Pair
from foundation.errors import UsageError
from foundation.storage.regular_files import open_regular

__all__ = ["LinkFileError", "UserLinks", "read_links"]

_COLUMNS = ("link", "first", "second")


class LinkFileError(UsageError):
    """A file of links cannot be read, or names a face that the dataset does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserLinks:
    """Links between the tracks of a dataset, by their numbers."""

    must: tuple[Pair, ...] = ()
    cannot: tuple[Pair, ...] = ()


def read_links(path: Path, faces: Mapping[str, int]) -> UserLinks:
    """Read a file of links.

    Args:
        path: the file.
        faces: by each name of a face, the number of its track.

    Raises:
        LinkFileError: the file cannot be read, has other columns, or a line names no face of the dataset.
    """
    pairs: dict[str, list[Pair]] = {"must": [], "cannot": []}
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            if tuple(rows.fieldnames or ()) != _COLUMNS:
                raise LinkFileError(f"{path}: its first line is not link,first,second; put these column names there")
            for row in rows:
                place = f"{path}:{rows.line_num}"
                kind, first, second = (row[name] for name in _COLUMNS)
                if None in row or kind not in pairs:
                    raise LinkFileError(f"{place}: link is {kind!r}; give must or cannot, and two faces")
                pairs[kind].append((_face(first, faces, place), _face(second, faces, place)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LinkFileError(f"{path} cannot be read: {error}; give a CSV file in UTF-8") from error
    return UserLinks(must=tuple(pairs["must"]), cannot=tuple(pairs["cannot"]))


def _face(name: str | None, faces: Mapping[str, int], place: str) -> int:
    if name is None or name not in faces:
        raise LinkFileError(
            f"{place}: {name!r} is no face of the dataset; give the id of a clip, or VIDEO:TRACK as in `identities`"
        )
    return faces[name]
