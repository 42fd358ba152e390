"""Journal: replace several files of a dataset in one atomic step.

New files are written under hidden names. Writing the journal, a single file that lists the new and the old files, makes
the new ones valid and the old ones invalid. After that the old files are removed, the new ones are renamed, and the
journal is removed. If the process stops in between, the journal remains and the next writer completes the steps.
`tables.table_files` reads the journal, so its callers see every row exactly once at any time. A program that lists the
folder itself may miss rows during a swap, and never sees a row twice.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.errors import UsageError
from foundation.storage.atomic import write_json_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import is_remote
from foundation.storage.staged import flush
from manifests.errors import DatasetError

__all__ = ["JOURNAL", "Swap", "SwapError", "finish_swap", "hidden_name", "move_file", "pending_swap", "swap_files"]

JOURNAL = ".swap.json"
"""Name of the journal in the dataset's folder; it exists only during a swap."""


class SwapError(UsageError):
    """The journal is damaged."""


class Swap(BaseModel):
    """Content of the journal: names of files, relative to the dataset's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    come: Mapping[str, str]
    """By the hidden name of a new file, its final name."""
    gone: tuple[str, ...]
    """Old files."""

    def applied(self, dataset: Path, folder: str, listed: list[Path]) -> list[Path]:
        """Return the valid files of `folder`, given those that a listing of it shows."""
        replaced = {dataset / name for name in (*self.gone, *self.come.values())}
        new = [
            dataset / (hidden if (dataset / hidden).exists() else name)
            for hidden, name in self.come.items()
            if name.startswith(f"{folder}/")
        ]
        return [path for path in listed if path not in replaced] + new


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
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Swap.model_validate_json(text)
    except ValidationError as error:
        raise SwapError(f"{path} is damaged ({error.error_count()} problems): restore it from a copy") from error


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
        DatasetError: the journal is damaged.
        OSError: a file cannot be renamed or removed.
    """
    try:
        swap = pending_swap(dataset)
    except SwapError as error:
        raise DatasetError(str(error)) from error
    if swap is None:
        return
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
