"""Labels of clips that follow those of their videos: the path and the source, which change when sources are moved."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from foundation.storage.arrow import read_parquet
from foundation.storage.atomic import replacing
from manifests.errors import DatasetError
from manifests.files.journal import hidden_name, move_file, swap_files
from manifests.packing.packed_files import TableFile, sources_of, table_inventory
from manifests.packing.rows import VideoRows, write_packed
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
            _rewrite(dataset, file, labels)


def _rewrite(dataset: Path, file: TableFile, labels: Mapping[str, tuple[str, str]]) -> None:
    begun = dataset / hidden_name(file.name)
    footer = file.facts.footer() if file.packed else {}
    with VideoRows(CLIPS, sources_of([file])) as rows, replacing(begun) as stream:
        digest = write_packed(stream, CLIPS, _relabelled(rows, file, labels), footer)
    name = file.name
    if file.packed:  # the name of a packed file ends in its digest
        name = f"{file.name.removesuffix('.parquet').rpartition('-')[0]}-{digest[:12]}.parquet"
        move_file(begun, dataset / hidden_name(name))
    swap_files(dataset, [name], [file.name])


def _relabelled(rows: VideoRows, file: TableFile, labels: Mapping[str, tuple[str, str]]) -> Iterator[pa.Table]:
    for video in sorted(file.facts.videos):
        for piece in rows.of(video):
            relabelled = piece
            for name, label in zip(_LABELS, labels.get(video, (None, None)), strict=True):
                if label is not None:
                    number = piece.schema.get_field_index(name)
                    field = piece.schema.field(number)
                    relabelled = relabelled.set_column(number, field, pa.array([label] * len(piece), field.type))
            yield relabelled
