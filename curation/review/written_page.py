"""Writing of a page: its name, its size, and what is told of it."""

from dataclasses import dataclass
from pathlib import Path

from curation.review.html import page_html
from curation.review.page_data import Page
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.text import count_text, megabytes, shown

__all__ = ["MOST_BYTES", "WrittenPage", "page_path_of", "written"]

MOST_BYTES = 50_000_000
"""Largest page: what a browser opens at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenPage:
    """A page that was written."""

    path: Path
    """The file."""
    size_bytes: int
    """Its size."""
    n_samples: int
    """Samples that can be labelled on it."""
    notes: tuple[str, ...]
    """What the page does not show, as it says itself."""

    def text(self) -> str:
        """Return what was written, for people to read."""
        samples = count_text(self.n_samples, "sample")
        lines = [f"{self.path}: {megabytes(self.size_bytes)}, {samples}; open it in a browser"]
        return shown("\n".join([*lines, *self.notes]), several_lines=True)


def page_path_of(out: str | Path) -> Path:
    """Return the path of a page; another name may be that of a file of the dataset, which must not be replaced.

    Raises:
        UsageError: it does not end in .html.
    """
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {path} is no name of a page; end it in .html")
    return path


def written(path: Path, page: Page) -> WrittenPage:
    """Write a page.

    Raises:
        UsageError: it is too large.
        MissingChartsError: the package plotly is not installed.
        OSError: it cannot be written.
    """
    content = page_html(page).encode()
    if len(content) > MOST_BYTES:
        raise UsageError(
            f"{path} would have {megabytes(len(content))}, and a page has {megabytes(MOST_BYTES)} at most; give "
            "smaller numbers of videos, clips or samples"
        )
    write_bytes_atomic(path, content)
    return WrittenPage(
        path=path,
        size_bytes=len(content),
        n_samples=sum(len(card.samples) for card in page.criteria),
        notes=tuple(page.notes),
    )
