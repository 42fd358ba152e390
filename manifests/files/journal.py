"""Journal: replace several files of a dataset in one atomic step.

New files are written under hidden names. Writing the journal, a single file that lists the new and the old files, makes
the new ones valid and the old ones invalid. After that the old files are removed, the new ones are renamed, and the
journal is removed. If the process stops in between, the journal remains and the next writer completes the steps.
`tables.table_files` reads the journal, so its callers see every row exactly once at any time. A program that lists the
folder itself may miss rows during a swap, and never sees a row twice.

A journal may come from a stranger. It can name files of tables in their folders, and nothing else; what it asks for is
checked as a whole before any of it is carried out.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from foundation.errors import UsageError
from foundation.storage.atomic import write_json_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import FileTooLargeError, NotRegularFileError, read_small
from foundation.storage.staged import flush
from manifests.errors import DatasetError, first_problem
from manifests.files.names import TableFileName, file_in

__all__ = ["JOURNAL", "Swap", "SwapError", "finish_swap", "hidden_name", "move_file", "pending_swap", "swap_files"]

JOURNAL = ".swap.json"
"""Name of the journal in the dataset's folder; it exists only during a swap."""

_JOURNAL_BYTES = 16 << 20
"""Most that a journal can have: it names the files of some videos, in a hundred bytes each."""


class SwapError(UsageError):
    """The journal is damaged, or asks for what none that this software writes asks for."""


class Swap(BaseModel):
    """Content of the journal: names of files, relative to the dataset's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    come: Mapping[str, TableFileName]
    """By the hidden name of a new file, its final name."""
    gone: tuple[TableFileName, ...]
    """Old files."""

    @model_validator(mode="after")
    def _require_hidden_names(self) -> Self:
        for hidden, name in self.come.items():
            if hidden != hidden_name(name):
                raise ValueError(f"{hidden!r} is not the hidden name of {name}")
        return self

    def applied(self, dataset: Path, folder: str, listed: list[Path]) -> list[Path]:
        """Return the valid files of `folder`, given those that a listing of it shows.

        Raises:
            DatasetError: a new file is a link, or no regular file.
        """
        replaced = {dataset / name for name in (*self.gone, *self.come.values())}
        new = [
            (path if (path := file_in(dataset, hidden)).exists() else file_in(dataset, name))
            for hidden, name in self.come.items()
            if name.startswith(f"{folder}/")
        ]
        return [path for path in listed if path not in replaced] + new

    def require_inside(self, dataset: Path) -> None:
        """Refuse a swap whose files are links, no regular files, or reached through links.

        Raises:
            DatasetError: one is; the message names it.
        """
        for name in (*self.gone, *self.come.keys(), *self.come.values()):
            file_in(dataset, name)


def hidden_name(name: str) -> str:
    """Return the hidden name under which the file `name` is written.

    >>> hidden_name("clips/part-01.parquet")
    'clips/.part-01.parquet.new'
    """
    folder, _, last = name.rpartition("/")
    return f"{folder}/.{last}.new"


def pending_swap(dataset: Path) -> Swap | None:
    """Return the unfinished swap of a dataset; None if there is none.

    Raises:
        SwapError: the journal is damaged.
    """
    path = dataset / JOURNAL
    try:
        text = read_small(path, _JOURNAL_BYTES, follow_links=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (NotRegularFileError, FileTooLargeError) as error:
        raise SwapError(f"{error}: restore {path.name} from a copy") from error
    try:
        return Swap.model_validate_json(text)
    except ValidationError as error:
        raise SwapError(
            f"{path} is damaged ({first_problem(error)}; {error.error_count()} problems): restore it from a copy"
        ) from error


def swap_files(dataset: Path, come: Iterable[str], gone: Iterable[str]) -> None:
    """Replace old files by new ones in one atomic step.

    Args:
        dataset: the folder.
        come: final names of the new files, relative to the folder; each was written under its `hidden_name`.
        gone: names of the old files; a name in both lists is kept.

    Raises:
        OSError: a file cannot be written or removed; `finish_swap` completes the swap later.
    """
    names = tuple(come)
    new = {hidden_name(name): name for name in names}
    old = tuple(sorted(set(gone).difference(names)))
    require_lease(dataset)
    write_json_atomic(dataset / JOURNAL, Swap(come=new, gone=old).model_dump(mode="json"))
    finish_swap(dataset)


def finish_swap(dataset: Path) -> None:
    """Complete a swap that was interrupted, if there is one.

    Raises:
        DatasetError: the journal is damaged, or names what is no file of the dataset; nothing is changed then.
        OSError: a file cannot be renamed or removed.
    """
    try:
        swap = pending_swap(dataset)
    except SwapError as error:
        raise DatasetError(str(error)) from error
    if swap is None:
        return
    swap.require_inside(dataset)
    require_lease(dataset)
    # old files first: a program that lists the folder now misses rows instead of seeing them twice
    for name in swap.gone:
        (dataset / name).unlink(missing_ok=True)
    for hidden, name in swap.come.items():
        if (dataset / hidden).exists():
            move_file(dataset / hidden, dataset / name)
    (dataset / JOURNAL).unlink()


def move_file(path: Path, target: Path) -> None:
    """Rename a file within its folder durably; a remote object is copied and removed, since stores cannot rename.

    Raises:
        OSError: the file cannot be renamed.
    """
    if is_remote(path):
        path.rename(target)
        return
    path.replace(target)
    flush(target.parent)
