"""Which videos of a dataset are complete: those with a record and with rows in every table that should have some."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from curation.output.ledger import VideoRecord
from manifests.packing.pack import StorageSettings, compact
from manifests.packing.packed_files import stored_videos
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS

__all__ = ["complete_videos", "curated_ids"]


def complete_videos(
    dataset: Path, records: Mapping[str, VideoRecord], storage: StorageSettings
) -> dict[str, VideoRecord]:
    """Return the records with rows in the tables, and remove packed rows without a record.

    A user who removes a video's record, or a damaged file, has these videos curated again.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        records: by video id.
        storage: sizes of the files.

    Raises:
        DatasetError: a file is damaged.
        OSError: the dataset cannot be written.
    """
    frames, spans, clips = (stored_videos(dataset, table) for table in (FRAMES, SPANS, CLIPS))
    complete = {
        video_id: record
        for video_id, record in records.items()
        if not (record.status == "ok" and record.duration_s)
        or (video_id in frames and video_id in spans and (not record.n_clips or video_id in clips))
    }
    live = curated_ids(complete.values())
    if any(video not in live for table in (frames, spans, clips) for video, packed in table.items() if packed):
        compact(dataset, live, storage)
    return complete


def curated_ids(records: Iterable[VideoRecord]) -> set[str]:
    """Return the ids of the videos whose rows belong to the dataset."""
    return {record.video_id for record in records if record.status == "ok" and record.duplicate_of is None}
