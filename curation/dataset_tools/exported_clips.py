"""Clips of a dataset one by one, with all that an export writes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import in_schema, table_files
from manifests.files.tar import MemberRange, read_member
from manifests.packing.clip_json import LOCATION_COLUMNS
from manifests.schema.arrow_arrays import numpy_of
from manifests.schema.clips import CLIPS
from manifests.schema.columns import WORDS

__all__ = ["ARRAYS", "FACTS", "ExportedClip", "clips_of"]

FACTS = tuple(
    column.name
    for column in CLIPS.columns
    if column.name not in LOCATION_COLUMNS and (not column.shape or column.type == WORDS)
)
"""Columns of one value a row, without the places of media in the dataset, and those of words."""

ARRAYS = tuple(column.name for column in CLIPS.columns if column.shape and column.type != WORDS)
"""Columns of arrays of numbers, and of texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedClip:
    """One clip."""

    facts: dict[str, Any]
    """Values of `FACTS`."""
    arrays: dict[str, npt.NDArray[np.generic]]
    """Those of `ARRAYS` that it has."""
    row: pa.Table
    """All of its row."""
    mp4: bytes
    flac: bytes | None


def clips_of(dataset: Path, split: str | None = None) -> Iterator[ExportedClip]:
    """Yield all clips, or those of a split, in the order of the files and of their rows.

    Raises:
        DatasetError: a file is damaged, or a tar is missing.
        MediaError: a tar does not match the rows.
    """
    schema = CLIPS.arrow_schema()
    for path in table_files(dataset, CLIPS.name):
        try:
            with open_parquet(path) as file:
                for group in range(file.num_row_groups):
                    splits = file.read_row_group(group, columns=["split"])["split"].to_pylist()
                    chosen = [number for number, name in enumerate(splits) if split in (None, name)]
                    if chosen:
                        rows = in_schema(file.read_row_group(group), schema)
                        yield from (_clip(dataset, rows.slice(number, 1)) for number in chosen)
        except (pa.ArrowException, ValueError) as error:
            raise DatasetError(f"{path} cannot be read: {error}; run the curation again") from error


def _clip(dataset: Path, row: pa.Table) -> ExportedClip:
    (facts,) = row.select([*FACTS, *LOCATION_COLUMNS]).to_pylist()
    arrays = {name: array for name in ARRAYS if (array := numpy_of(row[name])[0]) is not None}
    mp4 = _media(dataset, facts, "mp4")
    if mp4 is None:
        raise DatasetError(f"{dataset}: clip {facts['clip_id']} has no mp4; run `gaia-curate validate`")
    return ExportedClip(
        facts={name: facts[name] for name in FACTS},
        arrays=arrays,
        row=row,
        mp4=mp4,
        flac=_media(dataset, facts, "flac"),
    )


def _media(dataset: Path, facts: dict[str, Any], kind: str) -> bytes | None:
    if facts[f"{kind}_offset"] is None:
        return None
    where = MemberRange(offset=facts[f"{kind}_offset"], size=facts[f"{kind}_size"])
    return read_member(dataset, facts["media"], where)
