"""The folder of an evaluation: table.json, table.tex and table.html, which appear together or not at all."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from foundation.errors import UsageError
from training.comparison.evaluation_table import EvaluationTable
from training.comparison.measured_outputs import ShownVideo
from training.comparison.result_page import result_page
from training.comparison.result_text import latex_table

__all__ = ["ResultFolder"]

_FILES = frozenset({"table.json", "table.tex", "table.html"})


class ResultFolder:
    """Where the files of an evaluation are to be."""

    def __init__(self, path: Path) -> None:
        """Check the folder before anything is measured.

        Raises:
            UsageError: it holds other files than those of an evaluation, or is no folder.
        """
        self.path = path
        self._check()

    def write(self, table: EvaluationTable, shown: Sequence[ShownVideo]) -> None:
        """Write all files into a folder beside it, and put that in its place.

        Raises:
            UsageError: other files have appeared in it.
            OSError: a file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f".{self.path.name}-") as hidden:
            complete = Path(hidden, "complete")
            complete.mkdir()
            (complete / "table.json").write_text(f"{table.json()}\n", encoding="utf-8")
            (complete / "table.tex").write_text(latex_table(table), encoding="utf-8")
            (complete / "table.html").write_text(result_page(table, shown), encoding="utf-8")
            self._check()
            if self.path.exists():
                self.path.rename(Path(hidden, "earlier"))
            complete.rename(self.path)

    def _check(self) -> None:
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise UsageError(f"{self.path} is no folder; give --out a new one")
        if self.path.is_dir() and (others := sorted({one.name for one in self.path.iterdir()} - _FILES)):
            raise UsageError(f"{self.path} holds {others[0]}, which no evaluation wrote; give --out a new folder")
