"""Replacing several files of a dataset at once: a small journal says which are gone and which have come.

New files are written under hidden names. Writing the journal, one file, is the moment at which they count and the old
ones do not; then the old files are removed, the new ones get their names, and the journal goes. Whoever is stopped in
between leaves the journal, and the next writer does the rest. `manifests.files.table_files` heeds it, so that a reader
sees every row exactly once at every moment; one that lists the folder itself may miss rows meanwhile, and sees none
twice.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from foundation.errors import UsageError

__all__ = ["JOURNAL", "Swap", "SwapError", "hidden_name", "pending_swap"]

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
