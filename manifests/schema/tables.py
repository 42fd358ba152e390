"""All tables and columns of a dataset.

The declarations are split by subject: `columns_media` has `videos`, `spans` and `clips`, `columns_frames` has `frames`,
`columns_arrays` moves NumPy arrays in and out. The tables of docs/reference/dataset.md and the description in
dataset.json are made from them.
"""

from manifests.schema.clips import CLIPS
from manifests.schema.columns import Column, Table
from manifests.schema.frames import FRAMES
from manifests.schema.identities import IDENTITIES
from manifests.schema.videos import SPANS, VIDEOS

__all__ = ["TABLES", "type_name"]

TABLES: dict[str, Table] = {table.name: table for table in (VIDEOS, FRAMES, SPANS, CLIPS, IDENTITIES)}
"""Every table of a dataset, by name."""


def type_name(column: Column) -> str:
    """Return the type of a column's values, or of the elements of its arrays, as the docs show it."""
    data_type = column.type
    while hasattr(data_type, "value_type"):
        data_type = data_type.value_type
    return "struct" if str(data_type).startswith("struct") else str(data_type)
