"""Carrying out the replacement of several files of a dataset at once; `manifests.swaps` says how it works."""

import os
from collections.abc import Iterable
from pathlib import Path

from manifests.files import DatasetError, write_json_atomic
from manifests.storage import is_remote
from manifests.swaps import JOURNAL, Swap, SwapError, hidden_name, pending_swap

__all__ = ["finish_swap", "move_file", "swap_files"]


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
