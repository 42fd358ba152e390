"""Identity descriptors of faces, and of voices, in the tables: whether there are any, and rows without them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import table_files
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.identities import IDENTITIES

__all__ = ["DESCRIBED_TABLES", "file_holds_descriptors", "holds_descriptors", "without_descriptors"]

DESCRIBED_TABLES = (IDENTITIES, CLIPS, FRAMES)
"""The tables with descriptors."""

_OWN = ("descriptor", "identity", "voice_embedding")
"""Their columns: of the main face on a tick, the mean of a clip, and of the voice of a track."""

_OTHERS, _OF_OTHER = "other_faces", "descriptor"
"""Column of structs of the other faces of a tick, and the field in it."""


def holds_descriptors(dataset: Path, tables: Sequence[Table] = DESCRIBED_TABLES) -> bool:
    """Return whether a dataset holds a descriptor of any face or voice; only footers of files are read.

    Args:
        dataset: the folder.
        tables: those that count.

    Raises:
        DatasetError: a file is damaged; the message names it.
    """
    return any(file_holds_descriptors(path) for table in tables for path in table_files(dataset, table.name))


def file_holds_descriptors(path: Path) -> bool:
    """Return whether a file of a table holds a descriptor.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        with open_parquet(path) as file:
            return _holds(file.metadata)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise DatasetError(
            f"{path}: cannot be read: {error}; restore it, or remove it: the same run then curates what was in it"
        ) from error


def _holds(footer: pq.FileMetaData) -> bool:
    """Return whether a column of descriptors has a value that is not null, as far as the footer tells."""
    for group in map(footer.row_group, range(footer.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            names = column.path_in_schema.split(".")
            if names[0] in _OWN or (names[0] == _OTHERS and _OF_OTHER in names):
                counted = column.statistics is not None and column.statistics.has_null_count
                if not counted or column.statistics.null_count < column.num_values:
                    return True
    return False


def without_descriptors(rows: pa.Table) -> pa.Table:
    """Return rows of a table in which every descriptor is null; all else is as it was."""
    for number, field in enumerate(rows.schema):
        if field.name in _OWN:
            rows = rows.set_column(number, field, pa.nulls(len(rows), field.type))
        elif field.name == _OTHERS:
            lists = rows.column(number).combine_chunks()
            lists = lists if isinstance(lists, pa.Array) else pa.concat_arrays(lists.chunks)
            structs = lists.flatten()
            fields = [
                pa.nulls(len(structs), one.type) if one.name == _OF_OTHER else structs.field(one.name)
                for one in structs.type
            ]
            nameless = pa.StructArray.from_arrays(fields, fields=list(structs.type))
            ends = pa.compute.cumulative_sum(pa.compute.fill_null(lists.value_lengths(), 0))
            offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
            emptied = pa.ListArray.from_arrays(offsets, nameless, type=field.type, mask=lists.is_null())
            rows = rows.set_column(number, field, emptied)
    return rows
