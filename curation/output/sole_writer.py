"""The lease of a dataset: of all commands that write to it, one is at work at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.output.provenance import DatasetFolderError
from foundation.storage.leases import Lease, held, is_lease_file
from foundation.storage.locations import location, resolved, store_errors
from manifests.record import read_dataset

__all__ = ["foreign_entries", "require_free", "require_outside", "sole_writer", "sole_writer_of_new"]

_LEDGER = "ledger"


@contextmanager
def sole_writer(dataset: str | Path, command: str, *, wait: bool) -> Iterator[Lease]:
    """Hold the lease of a dataset in the block.

    Args:
        dataset: finished or begun.
        command: what is done, for the messages of other commands.
        wait: wait for the end of another command that writes to it; otherwise be refused.

    Raises:
        DatasetError: it is no dataset.
        LeaseHeldError: another command writes to it.
        OSError: it cannot be written.
    """
    folder = location(dataset)
    if not _may_be_dataset(folder):
        read_dataset(folder)  # says that it is none, and which folder to give
    with held(folder, command, wait=wait) as lease:
        yield lease


@contextmanager
def sole_writer_of_new(path: str | Path, command: str, *, wait: bool) -> Iterator[Lease]:
    """Hold the lease of a folder that is a dataset, or can become one, in the block; arguments as of `sole_writer`.

    Raises:
        DatasetFolderError: it is neither.
        LeaseHeldError: another command writes to it.
        OSError: it cannot be written.
    """
    folder = location(path)
    if not _may_be_dataset(folder):
        try:
            require_free(folder)
        except DatasetFolderError:
            if not _may_be_dataset(folder):  # otherwise another command has begun it since
                raise
    with held(folder, command, wait=wait) as lease:
        yield lease


def _may_be_dataset(folder: Path) -> bool:
    """Return whether there is a record, or a ledger that may hold a draft of one; what is none of both gets no lease.

    The record is not read: what it says counts only once the lease is held.
    """
    with store_errors(folder):
        return any((folder / name).exists() for name in ("dataset.json", _LEDGER))


def require_free(path: Path) -> None:
    """Stop a command whose folder cannot become a dataset.

    Raises:
        DatasetFolderError: it is a file, holds files, or has a name that Parquet readers cannot open.
    """
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        raise DatasetFolderError(f"--out {path}: the name is no valid UTF-8, and Parquet readers cannot open it")
    if path.exists() and not path.is_dir():
        raise DatasetFolderError(f"--out {path} is a file; give a new folder")
    names = foreign_entries(path, {_LEDGER})
    if (path / _LEDGER).is_dir():  # a command that was stopped while it wrote the draft
        names += foreign_entries(path / _LEDGER, set())
    if any(not (name.startswith(".") and name.endswith(".part")) for name in names):
        raise DatasetFolderError(f"--out {path} holds files but no dataset.json: it is no dataset; give a new folder")


def require_outside(out: str | Path, *datasets: Path) -> None:
    """Refuse to write into a dataset that is read, where validation, packing and removals would meet foreign files.

    Args:
        out: folder to write, as it was given.
        datasets: that are read.

    Raises:
        DatasetError: `out` is one of them, or lies in one, and this one is no dataset.
        DatasetFolderError: `out` is one of them, or lies in one.
    """
    target = resolved(location(out))
    for dataset in datasets:
        path = resolved(dataset)
        if path != target and path not in target.parents:
            continue
        read_dataset(dataset)  # of a folder that is none, nothing else is said
        if target == path:
            raise DatasetFolderError(f"--out {out} is the dataset itself; give another folder")
        raise DatasetFolderError(f"--out {out} lies inside the dataset {dataset}; give a folder outside of it")


def foreign_entries(path: Path, own: "set[str] | frozenset[str]") -> list[str]:
    """Return the names in a folder that are not among `own`, sorted, without those of a lease."""
    if not path.is_dir():
        return []
    return sorted(entry.name for entry in path.iterdir() if entry.name not in own and not is_lease_file(entry.name))
