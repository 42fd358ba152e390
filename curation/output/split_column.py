"""The column `split` of `clips`: what is assigned already, and the division of all clips that a command leaves."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.output.complete_videos import curated_ids
from curation.output.ledger import VideoRecord
from curation.splits.assignment import Assignment, EarlierSplits, assigned_splits
from curation.splits.groups import CLIP_COLUMNS
from curation.splits.settings import SplitSettings
from manifests.files.tables import read_each_file, read_table
from manifests.packing.identity_rows import persons_of_clips
from manifests.packing.packed_files import PACKED
from manifests.packing.relabel import VIDEO_LABELS, ClipLabels, relabel_clips
from manifests.schema.clips import CLIPS
from manifests.schema.videos import VIDEOS

__all__ = ["earlier_splits", "label_clips"]


def earlier_splits(dataset: Path) -> EarlierSplits:
    """Return the splits of the clips of all videos that a command has finished: those that are in `videos`.

    Raises:
        DatasetError: a table is damaged.
    """
    videos = read_table(dataset, VIDEOS.name, ["video_id", "status"])
    finished = videos.filter(pc.equal(videos["status"], "ok"))["video_id"].combine_chunks()
    clips = read_table(dataset, CLIPS.name, list(CLIP_COLUMNS))
    return EarlierSplits.of(clips.filter(pc.is_in(clips["video_id"], value_set=finished)))


def label_clips(
    dataset: Path, records: Iterable[VideoRecord], earlier: EarlierSplits, settings: SplitSettings
) -> Assignment:
    """Divide all clips into train, val and test, write what is known of them from elsewhere, and return the division.

    It is done before packing, when the clips of new videos are in small files, so that few bytes are written twice.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        records: of `videos`; clips of other videos keep their labels.
        earlier: what is assigned already.
        settings: the hours asked for.

    Raises:
        DatasetError: a table is damaged.
        OSError: a file cannot be read or written.
    """
    originals = {record.video_id: record for record in records if record.duplicate_of is None}
    copies = {name: record.duplicate_group for name, record in originals.items() if record.duplicate_group is not None}
    persons = persons_of_clips(dataset)
    assignment = assigned_splits(
        _clips_of(dataset, curated_ids(originals.values()), persons), earlier, copies, settings
    )
    labels = {name: record.model_dump(include=set(VIDEO_LABELS)) for name, record in originals.items()}
    relabel_clips(dataset, ClipLabels(videos=labels, persons=persons, splits=assignment.splits))
    return assignment


def _clips_of(dataset: Path, live: Iterable[str], persons: Mapping[str, tuple[str, float]]) -> pa.Table:
    """Return the clips of videos; of a video that was curated again, those in its own file and not in a packed one."""
    files = read_each_file(dataset, CLIPS.name, list(CLIP_COLUMNS))
    own = pa.array([path.stem for path, _ in files if not path.name.startswith(PACKED)], pa.string())
    schema = pa.schema([CLIPS.column(name).field for name in CLIP_COLUMNS])
    pieces = [
        rows.filter(pc.invert(pc.is_in(rows["video_id"], value_set=own))) if path.name.startswith(PACKED) else rows
        for path, rows in files
    ]
    clips = pa.concat_tables([schema.empty_table(), *pieces])
    clips = clips.filter(pc.is_in(clips["video_id"], value_set=pa.array(sorted(live), pa.string())))
    known = [persons[clip_id][0] if clip_id in persons else None for clip_id in clips["clip_id"].to_pylist()]
    number = clips.schema.get_field_index("person_id")
    return clips.set_column(number, clips.schema.field(number), pa.array(known, pa.string()))
