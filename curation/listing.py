"""What is known of a source video before it is opened: where it lies, who speaks, which part of it is asked for."""

from dataclasses import dataclass
from pathlib import Path

from curation.trims import Trim
from foundation.errors import UsageError

__all__ = ["Entry", "SourceError"]


class SourceError(UsageError):
    """The sources that the user named cannot be listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One video of a folder or a list."""

    path: Path
    source: str
    """The data set that it belongs to: the rows of the statistics."""
    speaker_id: str | None = None
    """Who speaks; None where nobody told."""
    trims: tuple[Trim, ...] = ()
    """The stretches to curate, in order; none: all of it."""
