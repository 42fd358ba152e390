"""Source videos with the labels that a folder or a list gives them."""

from dataclasses import dataclass
from pathlib import Path

from curation.sources.trims import Trim
from curation.sources.video_labels import NO_LABELS, VideoLabels
from foundation.errors import UsageError

__all__ = ["Entry", "SourceError", "SourceVideo"]


class SourceError(UsageError):
    """The sources that the user named cannot be listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One video of a folder or a list."""

    path: Path
    source: str
    """The data set that it belongs to: the rows of the statistics."""
    speaker_id: str | None = None
    """Id of the speaker; None where it is unknown."""
    labels: VideoLabels = NO_LABELS
    """What else the list or the annotation states."""
    trims: tuple[Trim, ...] = ()
    """The stretches to curate, in order; none: all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceVideo:
    """One file of the user's source."""

    path: Path
    video_id: str
    """16 hex digits: of the content, or of the path where the content cannot be read."""
    other_ids: tuple[str, ...] = ()
    """Ids that this content has where less of it was read, as in datasets of earlier versions."""
    source: str
    """The collection that it belongs to: the rows of the statistics."""
    speaker_id: str | None
    labels: VideoLabels = NO_LABELS
    """What else the list or the annotation states."""
    trims: tuple[Trim, ...] = ()
    """The stretches to curate, in order; none: all of it."""
    size_bytes: int
    duplicate_of: Path | None = None
    """The file with the same content that is analysed in its stead."""
    read_error: str | None = None
    """Reason why the file cannot be read at all."""
    unreachable: bool = False
    """Whether it was its storage that did not deliver it; later it may."""
    version: str | None = None
    """What identified the content when it was listed: such as an ETag, or the size and times of a local file."""
