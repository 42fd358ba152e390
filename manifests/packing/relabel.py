"""Labels of clips that are known from elsewhere.

These are path and source of their video, which change when sources are moved, what its list states of it, such as the
licence, the person of their track, the side of the split that the person is on, and what the person was asked to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import in_schema
from manifests.packing.clip_json import INSTRUCTION_COLUMN
from manifests.packing.packed_files import table_inventory
from manifests.packing.rewrite import rewrite_file
from manifests.schema.clips import CLIPS
from manifests.vocabulary import LABEL_NAMES, Split

__all__ = ["VIDEO_LABELS", "ClipLabels", "relabel_clips"]

VIDEO_LABELS = ("path", "source", *LABEL_NAMES)
"""Columns that follow the row of the video in `videos`."""

_OF_CLIP = ("person_id", "person_confidence")

_LABELS = (*VIDEO_LABELS, *_OF_CLIP, INSTRUCTION_COLUMN, "split")

_COLUMNS = ("video_id", "clip_id", *_LABELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipLabels:
    """Labels of the clips of a dataset."""

    videos: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """By video id, path, source and labels by the names of their columns; clips of other videos keep theirs."""
    persons: Mapping[str, tuple[str, float]] | None = None
    """By clip id, person and confidence; other clips have none. None: all clips keep theirs."""
    instructions: Mapping[str, str] | None = None
    """By clip id, what was asked; other clips have none. None: all clips keep theirs."""
    splits: Mapping[str, Split] = field(default_factory=dict)
    """By clip id; other clips keep theirs."""

    def of(self, row: Mapping[str, str | float | None]) -> dict[str, str | float | None]:
        """Return what the columns of a row should hold, given what they do."""
        clip_id = str(row["clip_id"])
        video = self.videos.get(str(row["video_id"]), {})
        labels = {**row, **video, "split": self.splits.get(clip_id, row["split"])}
        if self.persons is not None:
            labels.update(zip(_OF_CLIP, self.persons.get(clip_id, (None, None)), strict=True))
        if self.instructions is not None:
            labels[INSTRUCTION_COLUMN] = self.instructions.get(clip_id)
        return labels


def relabel_clips(dataset: Path, labels: ClipLabels) -> None:
    """Give clips their labels.

    A file in which all are right stays as it is. Each other one is replaced in one step, so that a reader finds its old
    rows or its new ones; an interrupted call is completed by the next one.

    Args:
        dataset: the folder; no other process may write to it at the same time.
        labels: of the clips.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    for file in table_inventory(dataset, CLIPS):
        schema = pa.schema([CLIPS.column(name).field for name in _COLUMNS])
        try:
            with open_parquet(file.path) as parquet:
                stored = in_schema(parquet.read(list(_COLUMNS)), schema).to_pylist()
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise DatasetError(f"{file.path}: cannot be read: {error}; run the curation again") from error
        if any(labels.of(row) != row for row in stored):
            rewrite_file(dataset, CLIPS, file, lambda _video, piece: _relabelled(piece, labels))


def _relabelled(piece: pa.Table, labels: ClipLabels) -> pa.Table:
    right = [labels.of(row) for row in piece.select(_COLUMNS).to_pylist()]
    relabelled = piece
    for name in _LABELS:
        number = piece.schema.get_field_index(name)
        column = piece.schema.field(number)
        relabelled = relabelled.set_column(number, column, pa.array([row[name] for row in right], column.type))
    return relabelled
