"""The JSON file of a clip in its tar: the numbers and words of its row, for readers that know no Parquet.

WebDataset and `datasets` read a tar sample by sample and expect the same files of each (`<clip_id>.mp4`, `.flac`,
`.json`). Arrays are in the table `clips` alone.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.schema.clips import CLIPS, TRANSCRIPT_COLUMNS
from manifests.vocabulary import LABEL_NAMES

__all__ = ["FACT_COLUMNS", "INSTRUCTION_COLUMN", "LOCATION_COLUMNS", "PERSON_COLUMNS", "clip_json"]

LOCATION_COLUMNS = ("media", "mp4_offset", "mp4_size", "flac_offset", "flac_size")
"""Columns of `clips` that say where the media are; packing changes them."""

PERSON_COLUMNS = ("person_id", "person_confidence")
"""Columns of `clips` that `gaia-curate identities` fills, which writes no tar."""

INSTRUCTION_COLUMN = "instruction"
"""Column of `clips` that `gaia-curate instructions` fills, which writes no tar either."""

_LATER_COLUMNS = (*LOCATION_COLUMNS, *PERSON_COLUMNS, *LABEL_NAMES, *TRANSCRIPT_COLUMNS, INSTRUCTION_COLUMN, "split")

FACT_COLUMNS = tuple(
    column.name for column in CLIPS.columns if column.name not in _LATER_COLUMNS and not pa.types.is_nested(column.type)
)
"""Columns of `clips` in the JSON file: those that no later command changes, for none writes a tar only to relabel it.
A split that had become another one meanwhile would be a leak, and consent may be withdrawn. Transcripts are in the
table alone, too."""

_SINGLE = frozenset(column.name for column in CLIPS.columns if column.type == pa.float32())


def clip_json(row: Mapping[str, Any]) -> bytes:
    """Return the JSON file of a clip: an object on one line, in the order of the columns.

    Args:
        row: of `clips`, with `FACT_COLUMNS` at least. A number that is not finite becomes null.
    """
    facts = {name: _plain(row[name], single=name in _SINGLE) for name in FACT_COLUMNS}
    return (json.dumps(facts, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _plain(value: Any, *, single: bool) -> Any:  # noqa: ANN401 - a cell of any scalar column
    """Return a value as JSON can hold it; of single precision, the shortest number that is read as the same."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return float(str(np.float32(value))) if single else value
