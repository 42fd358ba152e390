"""Replacing several files of a dataset at once: a small journal says which are gone and which have come.

New files are written under hidden names. Writing the journal, one file, is the moment at which they count and the old
ones do not; then the old files are removed, the new ones get their names, and the journal goes. Whoever is stopped in
between leaves the journal, and the next writer does the rest. `tables.table_files` heeds it, so that a reader
sees every row exactly once at every moment; one that lists the folder itself may miss rows meanwhile, and sees none
twice.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.errors import UsageError
from foundation.storage.atomic import write_json_atomic
from foundation.storage.locations import is_remote
from manifests.errors import DatasetError

__all__ = ["JOURNAL", "Swap", "SwapError", "finish_swap", "hidden_name", "move_file", "pending_swap", "swap_files"]

JOURNAL = ".swap.json"
"""In the dataset's folder, while a swap is under way."""


class SwapError(UsageError):
    """The journal cannot be read."""


class Swap(BaseModel):
    """Names of files, relative to the dataset's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    come: Mapping[str, str]
    """By the hidden name that a file was written under, the name that it gets."""
    gone: tuple[str, ...]

    def applied(self, dataset: Path, folder: str, seen: list[Path]) -> list[Path]:
        """Return the files that count in `folder`, given those that are to be seen in it."""
        out = {dataset / name for name in (*self.gone, *self.come.values())}
        new = [
            dataset / (hidden if (dataset / hidden).exists() else name)
            for hidden, name in self.come.items()
            if name.startswith(f"{folder}/")
        ]
        return [path for path in seen if path not in out] + new


def hidden_name(name: str) -> str:
    """Return the name under which a file is written that is to be called `name`.

    >>> hidden_name("clips/part-01.parquet")
    'clips/.part-01.parquet.new'
    """
    folder, _, last = name.rpartition("/")
    return f"{folder}/.{last}.new"


def pending_swap(dataset: Path) -> Swap | None:
    """Return the swap that is under way in a dataset; None where there is none.

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
    """Let files count that were written under hidden names, and others no more; nobody sees a state between.

    Args:
        dataset: the folder.
        come: what the new files are called, relative to it; they lie under `hidden_name` of that.
        gone: the files that go. What is in both stays.

    Raises:
        OSError: a file cannot be written or removed; `finish_swap` does the rest later.
    """
    names = tuple(come)
    new = {hidden_name(name): name for name in names}
    old = tuple(sorted(set(gone).difference(names)))
    write_json_atomic(dataset / JOURNAL, Swap(come=new, gone=old).model_dump(mode="json"))
    finish_swap(dataset)


def finish_swap(dataset: Path) -> None:
    """Do what is left of a swap that was begun; nothing where there is none.

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
    # first what goes: whoever lists the folder now sees too little rather than the same row twice
    for name in swap.gone:
        (dataset / name).unlink(missing_ok=True)
    for hidden, name in swap.come.items():
        if (dataset / hidden).exists():
            move_file(dataset / hidden, dataset / name)
    (dataset / JOURNAL).unlink()


def move_file(path: Path, target: Path) -> None:
    """Rename a file within its folder, on disk when this returns; an object is copied, for stores have no renaming.

    Raises:
        OSError: it cannot be renamed.
    """
    if is_remote(path):
        path.rename(target)
        return
    path.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
