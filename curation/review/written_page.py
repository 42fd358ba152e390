"""The file of a page, with the folder of videos beside it: all of it is written, or nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from curation.review.page_data import Page
from curation.review.page_room import fitted
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.text import count_text, megabytes, shown

__all__ = ["MOST_BYTES", "Beside", "WrittenPage", "fitted_page", "html_path", "videos_beside", "written_page"]

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """Folder of the clips as videos, which the page links."""

    written: Path
    """Where they are written before the page is."""
    name: str
    """Name of the folder beside the page, where they lie in the end."""


@contextmanager
def videos_beside(page: Path, *, wanted: bool) -> Iterator[Beside | None]:
    """Yield a folder for videos that a page links; after an error there is none, and an earlier page keeps its own.

    Args:
        page: the file of the page.
        wanted: whether there are such videos; otherwise None is yielded.
    """
    if not wanted:
        yield None
        return
    page.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=page.parent, prefix=f".{page.stem}-") as hidden:
        beside = Beside(written=Path(hidden) / "media", name=f"{page.stem}_media")
        yield beside
        folder = page.with_name(beside.name)
        folder.mkdir(exist_ok=True)
        for video in beside.written.iterdir():
            video.replace(folder / video.name)


def html_path(out: str | Path) -> Path:
    """Return the path of a page; another name may be that of a file of the dataset, which must not be replaced."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {path} is no name of a page; end it in .html")
    return path


def fitted_page(path: Path, page: Page) -> tuple[Page, bytes]:
    """Return a page and the content of its file, with fewer videos and clips where there is no room for all.

    Raises:
        UsageError: without any it is still larger than a page may be.
    """
    page, content = fitted(page, MOST_BYTES)
    if len(content) > MOST_BYTES:
        raise UsageError(
            f"{path} would have {megabytes(len(content))}, and a page has {megabytes(MOST_BYTES)} at most; give "
            "smaller numbers of videos, clips or samples"
        )
    return page, content


def written_page(path: Path, page: Page, content: bytes) -> WrittenPage:
    """Write the file, and return what it holds.

    Raises:
        OSError: it cannot be written.
    """
    write_bytes_atomic(path, content)
    return WrittenPage(
        path=path,
        size_bytes=len(content),
        n_samples=sum(len(card.samples) for card in page.criteria),
        notes=tuple(page.notes),
    )
