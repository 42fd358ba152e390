"""Listing of a folder, and the labels that a layout derives from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from curation.choices import LayoutName
from curation.sources.entries import Entry, SourceError
from foundation.storage.locations import is_remote, store_errors
from foundation.storage.regular_files import open_regular
from foundation.text import count_text

__all__ = ["Labelled", "Layout", "Tree", "note"]

_N_FOLDERS = 2
"""Number of enclosing folders that a layout reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A folder with its subfolders, local or on a store."""

    root: Path
    name: str
    """Name of the folder itself."""
    videos: tuple[str, ...]
    """Files with the suffix of a video: names below `root`, with slashes."""
    others: tuple[str, ...]
    """All other files, likewise; annotation is among them."""
    left_alone: tuple[str, ...] = ()
    """Hidden files and folders, and folders of systems, likewise."""

    def parts(self, name: str) -> tuple[str, ...]:
        """Return the last two folders and the stem of a file, or fewer where there are no more.

        Folders above `root` count, because a user may name a subfolder of a data set.

        >>> Tree(root=Path("/vox2/id00012"), name="id00012", videos=(), others=()).parts("21Uxsk56VDQ/00001.mp4")
        ('id00012', '21Uxsk56VDQ', '00001')
        """
        *folders, file = name.split("/")
        if len(folders) < _N_FOLDERS:
            folders = [*PurePosixPath(self.root.absolute().as_posix()).parts, *folders]
        return (*folders[-_N_FOLDERS:], file.rpartition(".")[0] or file)

    def text(self, name: str) -> str:
        """Return the content of an annotation file.

        Raises:
            SourceError: it cannot be read.
            StorageError: its store cannot be reached.
        """
        path = self.root / name
        try:
            with store_errors(path), path.open("rb") if is_remote(path) else open_regular(path) as file:
                text = file.read().decode("utf-8-sig")
            return text.replace("\r\n", "\n").replace("\r", "\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{path}: cannot be read as the text that it should be: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """The videos of a folder with the labels of its layout."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()
    """Notes for the user on videos that were skipped or have no labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Layout of a data set in its folder. Each has a module of its own."""

    name: LayoutName
    has_marks: Callable[[Tree], bool]
    """Whether every video of a folder is named as this data set names them."""
    label: Callable[[Tree], Labelled]
    """Raises SourceError where an annotation is invalid."""
    settings: Mapping[str, float] = field(default_factory=dict)
    """Settings by dotted name that fit this data set better than those of a preset."""


def note(names: Sequence[str], what: str) -> tuple[str, ...]:
    """Return a line about some videos, with one as an example; nothing where there are none.

    >>> note(["a.mp4", "b.mp4"], "have no name")
    ('2 videos, such as a.mp4, have no name.',)
    """
    return (f"{count_text(len(names), 'video')}, such as {names[0]}, {what}.",) if names else ()
