"""Lists of instructions: what people were asked to do, in which video and when (GAIA appendix E.1).

Each row has `path`, `start_s`, `end_s` and `text`; the file has any form of a list of videos, and may be that list.
"""

import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from curation.sources.entries import SourceError
from curation.sources.list_rows import ListRow, read_rows
from curation.sources.lists import beside, trim_of
from foundation.storage.locations import is_address, location
from manifests.files.label_text import instruction_text
from manifests.files.names import UnsafeValueError

__all__ = ["Instruction", "read_instructions"]

_TEXT = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """A row of a list."""

    place: str
    """File and line."""
    path: str
    """Video, as the row writes it."""
    file: Path
    """Where that leads from the list."""
    start_s: float
    end_s: float
    """Exclusive; infinity: to the end of the video."""
    text: str

    def __str__(self) -> str:
        """Return the row as text for people."""
        end = "the end" if math.isinf(self.end_s) else f"{self.end_s:g} s"
        return f"{self.place}: {self.path}, {self.start_s:g} s to {end}"


def read_instructions(path: Path) -> list[Instruction]:
    """Return the rows of a list.

    Raises:
        SourceError: it cannot be read, or a row has no path, no text or no stretch of time; the message names the line.
        StorageError: its store cannot be reached.
    """
    rows, _ = read_rows(path, (_TEXT,))
    if not rows:
        raise SourceError(f"{path}: lists no instruction")
    return [_instruction(row, path) for row in rows]


def _instruction(row: ListRow, path: Path) -> Instruction:
    name = row.values["path"]
    if not name:
        raise SourceError(f"{row.place}: the column 'path' is empty")
    text = unicodedata.normalize("NFC", " ".join(row.values[_TEXT].split()))
    if not text:
        raise SourceError(f"{row.place}: has no text; the column 'text' says what the person was asked to do")
    try:
        instruction_text(text)
    except UnsafeValueError as error:
        raise SourceError(f"{row.place}: {error}") from error
    stretch = trim_of(row)
    return Instruction(
        place=row.place,
        path=name,
        file=location(name) if is_address(name) else beside(path, name),
        start_s=stretch.start,
        end_s=math.inf if stretch.end is None else stretch.end,
        text=text,
    )
