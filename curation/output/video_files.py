"""Paths of the files of one video in a dataset."""

from dataclasses import dataclass
from pathlib import Path

from curation.sources.entries import SourceVideo
from manifests.files.names import file_in
from manifests.files.names import video_id as checked_id
from manifests.schema.columns import Table
from manifests.timeline import Window

__all__ = ["WINDOWS", "VideoFiles", "remove_video_files"]

WINDOWS = "windows"
"""Folder of a dataset with intermediate files of long videos; empty once all videos are done."""


@dataclass(frozen=True, slots=True)
class VideoFiles:
    """Paths of the files of one video in a dataset; the files need not exist."""

    dataset: Path
    video: SourceVideo

    @property
    def media(self) -> str:
        """Name of the tar with the media of its clips, relative to the dataset."""
        return f"media/{self.video.video_id}.tar"

    def rows(self, table: Table) -> Path:
        """Return the path of its rows of a table."""
        return self.dataset / table.name / f"{self.video.video_id}.parquet"

    def waiting_rows(self, table: Table) -> Path:
        """Return the path of its rows of a table while it is a long video that is not gathered yet."""
        return self.dataset / WINDOWS / f"{self.video.video_id}-{table.name}.parquet"

    @property
    def sound(self) -> Path:
        """Path of the evidence of its sound while it is a long video that is not decided yet."""
        return self.dataset / WINDOWS / f"{self.video.video_id}-sound.npz"

    def step(self, window: Window, suffix: str) -> Path:
        """Return the path of an intermediate file of one step of a long video.

        Args:
            window: the ticks of the step: a window, or the clips of a slice from the first to the last.
            suffix: `.npz` for the evidence of a window, `.tar` and `.parquet` for the clips of a slice.
        """
        name = f"{self.video.video_id}-{window.first_tick:07d}-{window.end_tick:07d}{suffix}"
        return self.dataset / WINDOWS / name


def remove_video_files(dataset: Path, video_id: str) -> None:
    """Remove a video's own files; the ledger's record last, so that a stopped removal is repeated.

    Raises:
        DatasetError: it is no id of a video, or a file is a link or no regular file; nothing is removed then.
        OSError: a file cannot be removed.
    """
    own = checked_id(video_id)
    tables = [f"{table}/{own}.parquet" for table in ("clips", "spans", "frames")]
    paths = [file_in(dataset, name) for name in (*tables, f"media/{own}.tar", f"ledger/{own}.json")]
    for path in paths:
        path.unlink(missing_ok=True)
