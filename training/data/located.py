"""Scalars of the manifest's clips, with the positions of their arrays in its files.

Positions are looked up when clips are selected, once in a run, from the footers that are read for the scalars anyway.
So no footer is read for a sample, and no file holds an index that could be of another state of the dataset. What a
footer states about a position is held against the bytes there: `foundation.storage.parquet_arrays`.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from foundation.storage.arrow import open_parquet
from foundation.storage.parquet_arrays import array_kind, array_ranges
from manifests.errors import DatasetError
from manifests.files.cells import bad_cells
from manifests.files.tables import in_schema
from manifests.schema.clips import CLIPS

__all__ = ["ARRAYS", "OF_ROW", "located_scalars"]

_COLUMNS = (
    "clip_id",
    "video_id",
    "source",
    "speaker_id",
    "person_id",
    "tier",
    "split",
    "n_frames",
    "landmark_scheme",
    "speech_encoder",
    "media",
    "mp4_offset",
    "mp4_size",
)

ARRAYS = ("landmarks", "pose_deg", "speech_features")
"""Columns of arrays that trainers read."""

_KINDS = tuple(array_kind(CLIPS.column(name).field) for name in ARRAYS)

_PLACES = ("file", "row_group", "row", *(f"{name}_{part}" for name in ARRAYS for part in ("start", "bytes")))
"""Columns of a selection that say where the arrays of a clip lie."""

OF_ROW = ("clip_id", "n_frames", "media", "mp4_offset", "mp4_size", *_PLACES)
"""Columns of a selection that say where a clip lies."""


def located_scalars(numbered: tuple[int, Path]) -> pa.Table:
    """Return the scalar columns of a file of the manifest, with the position of each row in it.

    Args:
        numbered: number and path of the file; the number is the column `file`.

    Raises:
        DatasetError: it cannot be read, or states what cannot be.
    """
    number, file = numbered
    try:
        with open_parquet(file) as parquet:
            declared = pa.schema([CLIPS.arrow_schema().field(name) for name in _COLUMNS])
            rows = in_schema(parquet.read(columns=list(_COLUMNS)), declared)
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
            ranges = array_ranges(parquet.metadata, _KINDS)
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise DatasetError(
            f"{file}: cannot be read as a file of table clips: {error}; run the curation again"
        ) from error
    for wrong in bad_cells(CLIPS, rows):
        raise DatasetError(f"{file}: {wrong}; `gaia-curate validate` lists all that is wrong")
    group = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(size) for size in (*sizes, 0)])
    places = [np.full(len(rows), number), group, row, *np.repeat(ranges, sizes, axis=0).reshape(len(rows), -1).T]
    for name, values in zip(_PLACES, places, strict=True):
        rows = rows.append_column(name, pa.array(values, pa.int64()))
    return rows
