"""Every table and column of a dataset: the one place where they are declared (DESIGN: "The dataset").

The declarations are split by subject: `columns_media` has `videos`, `spans` and `clips`, `columns_frames` has `frames`,
`columns_arrays` moves NumPy arrays in and out. The tables of docs/reference/dataset.md and the description in
dataset.json are made from them.
"""

from manifests.columns import SCHEMA_VERSION, Column, Table
from manifests.columns_arrays import array_column, block_column, numpy_of, rows_column
from manifests.columns_frames import FACE_COLUMNS, FRAMES
from manifests.columns_media import CLIPS, SPANS, TIMING_COLUMNS, VIDEOS

__all__ = [
    "CLIPS",
    "FACE_COLUMNS",
    "FRAMES",
    "SCHEMA_VERSION",
    "SPANS",
    "TABLES",
    "TIMING_COLUMNS",
    "VIDEOS",
    "Column",
    "Table",
    "array_column",
    "block_column",
    "numpy_of",
    "rows_column",
    "schema_markdown",
    "type_name",
]

TABLES: dict[str, Table] = {table.name: table for table in (VIDEOS, FRAMES, SPANS, CLIPS)}


def schema_markdown() -> str:
    """Return the section of docs/reference/dataset.md that describes every column."""
    parts = []
    for table in TABLES.values():
        parts += [f"### `{table.name}`", "", table.meaning, ""]
        parts += ["| column | type | shape | unit | null | meaning |", "|---|---|---|---|---|---|"]
        parts += [
            f"| `{c.name}` | {type_name(c)} | {c.shape} | {c.unit} | {'yes' if c.nullable else ''} | {c.meaning} |"
            for c in table.columns
        ]
        parts.append("")
    return "\n".join(parts)


def type_name(column: Column) -> str:
    """Return the type of one value or, for arrays, of one element, as a reader of the docs wants it."""
    data_type = column.type
    while hasattr(data_type, "value_type"):
        data_type = data_type.value_type
    return "struct" if str(data_type).startswith("struct") else str(data_type)
