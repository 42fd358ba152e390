"""Evidence of a video of a dataset, or of many one after the other, for rules to be tried on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.output.frame_rows import evidence_of_frames
from curation.output.ledger import VideoRecord
from curation.output.provenance import recorded_settings
from foundation.storage.locations import location
from manifests.errors import DatasetError
from manifests.files.tables import in_schema
from manifests.packing.one_state import in_one_state
from manifests.packing.packed_files import TableFile, sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.record import read_dataset
from manifests.reports.explain import find_video
from manifests.schema.face_measures import FACE_MEASURES
from manifests.schema.frames import FRAMES
from manifests.timeline import TICK_RATE_HZ

__all__ = ["curated_of", "evidence_of_videos", "frames_for_rules", "n_ticks_of", "read_evidence"]

_OTHERS = ("video_id", "tick", "decoded", "measured", "grid", "track_id", "interpolated", "cut_score", "speech_prob")

_UNREAD = ("sharpness", "luma")
"""Measures that no built-in rule reads, beside the large ones."""

_MEASURES = tuple(measure.column.name for measure in FACE_MEASURES)

_BUILT_IN = tuple(m.column.name for m in FACE_MEASURES if not m.large and m.column.name not in _UNREAD)
"""Columns of the measures that built-in rules read."""


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
    tags = row["generated_tags"]
    return replace(
        evidence_of_frames(frames, round((row["duration_s"] or 0.0) * TICK_RATE_HZ), rules),
        generated_tags=None if tags is None else tuple(tags),
    )


def curated_of(rows: Sequence[VideoRecord], counted: frozenset[str] | None) -> list[VideoRecord]:
    """Return the videos that were measured, in the order of their ids; copies of others are left out.

    Args:
        rows: the table `videos`.
        counted: ids of the videos that count; None: all.
    """
    curated = [
        row
        for row in rows
        if row.status == "ok" and row.duplicate_of is None and (counted is None or row.video_id in counted)
    ]
    return sorted(curated, key=lambda row: row.video_id)


def n_ticks_of(row: VideoRecord) -> int:
    """Return the length of a video, ticks."""
    return round((row.duration_s or 0.0) * TICK_RATE_HZ)


def evidence_of_videos(
    dataset: Path,
    rows: Sequence[VideoRecord],
    rules: RulesSettings,
    *,
    all_measures: bool,
    files: Mapping[str, TableFile] | None = None,
) -> Iterator[tuple[VideoRecord, Evidence]]:
    """Yield videos with their evidence.

    Args:
        dataset: the folder or address.
        rows: the videos, in the order of their ids.
        rules: settings that the dataset was made with.
        all_measures: whether to read the measures that no built-in rule reads; else they are missing.
        files: by video id, the file with its evidence; None: all files of the dataset are looked through for them.

    Raises:
        DatasetError: the evidence of a video is gone or damaged.
        OSError: a file cannot be read.
    """
    tables = frames_for_rules(dataset, [row.video_id for row in rows], all_measures=all_measures, files=files)
    for row, table in zip(rows, tables, strict=True):
        if row.duration_s and not len(table):
            raise DatasetError(f"{dataset}: the evidence of {row.path} is gone; run the curation again")
        try:
            evidence = evidence_of_frames(table, n_ticks_of(row), rules)
        except DatasetError as error:
            raise DatasetError(f"{row.path}: {error}; run the curation again") from error
        yield row, replace(evidence, generated_tags=row.generated_tags)


def frames_for_rules(
    dataset: Path, video_ids: Sequence[str], *, all_measures: bool, files: Mapping[str, TableFile] | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of table `frames` of videos, one video in memory at a time; null in columns that are not read.

    Landmarks and blendshapes are nearly all bytes of a table, and no rule reads them.

    Args:
        dataset: the folder or address.
        video_ids: the videos, in order; of one whose evidence is gone there is no row.
        all_measures: whether to read the measures that no built-in rule reads.
        files: by video id, the file with its evidence; None: all files of the dataset are looked through for them.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read.
    """
    measures = _MEASURES if all_measures else _BUILT_IN
    schema = FRAMES.arrow_schema()
    whole = pa.schema([schema.field(name) for name in (*_OTHERS, "loudness_dbfs", *_MEASURES, "other_faces")])
    read = [*_OTHERS, *(("loudness_dbfs",) if all_measures else ()), *measures, "other_faces"]
    files = sources_of(table_inventory(dataset, FRAMES)) if files is None else files
    # of these videos alone: a file stays open, with rows in memory, until all its videos were asked for
    own = {video_id: files[video_id] for video_id in video_ids if video_id in files}
    with VideoRows(FRAMES, own, read) as frames:
        for video_id in video_ids:
            yield in_schema(frames.table_of(video_id), whole)
