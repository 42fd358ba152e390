"""Evidence of a video of a dataset, for rules to be tried on it."""

from pathlib import Path

from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.output.frame_rows import evidence_of_frames
from curation.output.provenance import recorded_settings
from foundation.storage.locations import location
from manifests.errors import DatasetError
from manifests.packing.one_state import in_one_state
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.record import read_dataset
from manifests.reports.explain import find_video
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["read_evidence"]


def read_evidence(dataset: str | Path, video: str) -> Evidence:
    """Return what was measured of a video, as `curation.decide` takes it.

    Args:
        dataset: made by `run` or `redecide`.
        video: a video id, a path as it stands in `videos`, or a file name that only one video has.

    Raises:
        DatasetFolderError: its settings are not those of this version.
        DatasetError: `dataset` is no dataset, no video or several match, or the video was not measured.
        StorageError: its store cannot be reached.
        ChangingDatasetError: a command has begun to remove what is read.
        OSError: the evidence cannot be read.
    """
    folder = location(dataset)
    rules = recorded_settings(folder, read_dataset(folder)).rules
    return in_one_state(folder, lambda _counted: _evidence(folder, video, rules))


def _evidence(folder: Path, video: str, rules: RulesSettings) -> Evidence:
    row = find_video(folder, video)
    if row["status"] != "ok":
        raise DatasetError(f"{row['path']} was not measured: its status is {row['status']}")
    with VideoRows(FRAMES, sources_of(table_inventory(folder, FRAMES))) as rows:
        frames = rows.table_of(row["video_id"])
    if row["duration_s"] and not len(frames):
        raise DatasetError(f"{folder}: the evidence of {row['path']} is gone; run the curation again")
    return evidence_of_frames(frames, round((row["duration_s"] or 0.0) * TICK_RATE_HZ), rules)
