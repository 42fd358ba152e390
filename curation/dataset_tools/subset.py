"""A dataset of those clips of another that fulfil a condition in SQL."""

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from curation.dataset_tools.making import Origin, begun, record_digest
from curation.output.complete_videos import curated_ids
from curation.output.folder import DatasetFolder
from curation.output.sole_writer import require_outside, sole_writer_of_new
from curation.output.split_column import earlier_splits
from foundation.errors import UsageError
from foundation.packages import DISTRIBUTION
from foundation.storage.locations import location
from foundation.text import count_text, duration_text, shown
from manifests.dataset import Dataset
from manifests.files.tables import read_table
from manifests.packing.identity_rows import write_identities
from manifests.packing.one_state import without_writer
from manifests.record import HistoryStep
from manifests.reports.queries import QueryLimits, query
from manifests.timeline import TICK_RATE_HZ

__all__ = ["Subset", "subset"]

_WHERE = "SELECT clip_id FROM clips WHERE (\n{}\n)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subset:
    """The outcome of choosing clips."""

    dataset: Dataset
    clips: int
    kept_s: float
    of_clips: int
    """Clips of the dataset that they were chosen from."""
    videos: int
    split: str

    def text(self) -> str:
        """Return sentences for people."""
        chosen = f"{self.clips:,} of {count_text(self.of_clips, 'clip')}"
        what = f"{chosen}, {duration_text(self.kept_s)}, of {count_text(self.videos, 'video')}"
        return f"{shown(f'{self.dataset.path}: {what}')}\n\n{self.split}"


def subset(
    dataset: str | Path, where: str, out: str | Path, *, limits: QueryLimits | None = None, wait: bool = False
) -> Subset:
    """Make a dataset of the clips that fulfil a condition, with all evidence of their videos.

    Seconds of the other clips of these videos become spans of outcome `not_asked`. Videos without a chosen clip are not
    in the new dataset, but for those that lists leave out, which later runs leave out, too.

    Args:
        dataset: a finished dataset; it is not changed.
        where: a condition in SQL over the columns of `clips`, such as ``gender = 'Female' AND snr_db > 20``.
        out: a new folder, or one that the same call has begun.
        limits: time and memory that the condition may take.
        wait: wait while another command writes to one of the two; otherwise such a command is an error.

    Raises:
        UsageError: the condition is empty, or no clip fulfils it.
        QueryError: it is no condition, or takes more than `limits`.
        DatasetFolderError: `out` holds something else, or lies in the dataset.
        DatasetError: `dataset` is no dataset, or is damaged.
        LeaseHeldError: another command writes to `out`, and `wait` is false.
        ChangingDatasetError: another command writes to `dataset`.
        OSError: a file cannot be read or written.
    """
    origin, target = location(dataset), location(out)
    require_outside(out, origin)
    with sole_writer_of_new(target, "gaia-curate subset", wait=wait):
        return without_writer(
            origin, lambda: _chosen(origin, where, target, limits or QueryLimits()), wait=wait, repeat=False
        )


def _chosen(path: Path, where: str, out: Path, limits: QueryLimits) -> Subset:
    folder = DatasetFolder.existing(path)
    if not where.strip():
        raise UsageError('--where is empty; give a condition over the columns of clips, such as "snr_db > 20"')
    answer = query(path, _WHERE.format(where), limits)
    asked = {row[0] for row in answer.rows}
    clips = read_table(path, "clips", ["clip_id", "n_frames"]).to_pylist()
    frames = {clip["clip_id"]: clip["n_frames"] for clip in clips if clip["clip_id"] in asked}
    if not frames:
        raise UsageError(
            f"none of {count_text(folder.record.totals.clips, 'clip')} of {path} fulfils {where!r}; nothing was written"
        )
    step = HistoryStep(
        command="subset",
        software_version=importlib.metadata.version(DISTRIBUTION),
        origins=(record_digest(path),),
        where=where,
    )
    target = begun(out, folder, folder.record, step)
    target.earlier = earlier_splits(path)
    chosen = {clip.rpartition("-")[0].rpartition("-")[0] for clip in frames}
    rows = folder.rows()
    live = curated_ids(rows) & chosen
    records = []
    with Origin(folder, live) as origin:
        for row in sorted(rows, key=lambda row: row.video_id):
            if row.duplicate_of is not None:
                if row.video_id in live:
                    records.append(row)
            elif row.video_id in live:
                records.append(origin.copy(row, target, frames.keys()))
            elif row.status == "excluded":
                target.write(row)
                records.append(row)
        identities = origin.identities(frames.keys())
    if len(identities):
        write_identities(out, identities)
    finished = target.finish(sorted(records, key=lambda row: row.path))
    return Subset(
        dataset=finished,
        clips=len(frames),
        kept_s=sum(frames.values()) / float(TICK_RATE_HZ),
        of_clips=folder.record.totals.clips,
        videos=len(live),
        split=target.assignment.text(),
    )
