"""Labels of clips that follow those of their videos: the path and the source, which change when sources are moved."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import read_parquet
from manifests.errors import DatasetError
from manifests.packing.packed_files import table_inventory
from manifests.packing.rewrite import rewrite_file
from manifests.schema.clips import CLIPS

__all__ = ["relabel_clips"]

_LABELS = ("path", "source")


def relabel_clips(dataset: Path, labels: Mapping[str, tuple[str, str]]) -> None:
    """Give the clips of each video the path and the source of its row in `videos`.

    A file in which all are right stays as it is. Each other one is replaced in one step, so that a reader finds its old
    rows or its new ones; an interrupted call is completed by the next one.

    Args:
        dataset: the folder, packed; no other process may write to it at the same time.
        labels: by video id, path and source.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    for file in table_inventory(dataset, CLIPS):
        try:
            stored = read_parquet(file.path, ["video_id", *_LABELS]).select(["video_id", *_LABELS])
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise DatasetError(f"{file.path}: cannot be read: {error}; run the curation again") from error
        rows = zip(*(column.to_pylist() for column in stored.columns), strict=True)
        if any((path, source) != labels.get(video, (path, source)) for video, path, source in rows):
            rewrite_file(dataset, CLIPS, file, lambda video, piece: _relabelled(video, piece, labels))


def _relabelled(video: str, piece: pa.Table, labels: Mapping[str, tuple[str, str]]) -> pa.Table:
    for name, label in zip(_LABELS, labels.get(video, (None, None)), strict=True):
        if label is not None:
            number = piece.schema.get_field_index(name)
            field = piece.schema.field(number)
            piece = piece.set_column(number, field, pa.array([label] * len(piece), field.type))
    return piece
