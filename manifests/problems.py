"""What `validate` finds."""

from dataclasses import dataclass

__all__ = ["Problem"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with a dataset."""

    file: str
    """File or folder, relative to the dataset."""
    row: str
    """Id of the row, or "" where the whole file is meant."""
    what: str
    mend: str
    """What the user can do."""

    def __str__(self) -> str:
        return f"{self.file}: {f'{self.row}: ' if self.row else ''}{self.what}; {self.mend}"
