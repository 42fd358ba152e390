"""Ticks of a dataset on which not everything was measured, because no clip could lie there."""

from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from foundation.storage.arrow import open_parquet
from foundation.storage.parquet_bounds import schema_of
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.schema.frames import FRAMES

__all__ = ["unmeasured_ticks_of"]

_MEASURED = "measured"


def unmeasured_ticks_of(dataset: Path) -> dict[str, int]:
    """Return by video id the number of ticks that were not measured, of videos that have any.

    Rows are read only where statistics of the file do not say that all was measured. Files of earlier versions lack
    the column, for everything was.

    Args:
        dataset: the folder or address.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read.
    """
    files = table_inventory(dataset, FRAMES)
    holder = sources_of(files)  # a video that was measured further has a file of its own beside the packed one
    found: Counter[str] = Counter()
    for file in files:
        parquet = open_parquet(file.path)
        try:
            for number in _partly_measured(parquet):
                rows = parquet.read_row_group(number, columns=["video_id", _MEASURED], use_threads=False)
                missing = rows.filter(pc.invert(pc.fill_null(rows[_MEASURED], True)))
                for counted in pc.value_counts(missing["video_id"]).to_pylist():
                    if holder[counted["values"]].name == file.name:
                        found[counted["values"]] += counted["counts"]
        finally:
            parquet.close()
    return dict(found)


def _partly_measured(parquet: pq.ParquetFile) -> list[int]:
    """Return the row groups with ticks that were not measured, and those of which that is not known."""
    schema = schema_of(parquet.metadata)
    names = [schema.column(number).path for number in range(parquet.metadata.num_columns)]
    if _MEASURED not in names:
        return []
    groups = []
    for number in range(parquet.metadata.num_row_groups):
        known = parquet.metadata.row_group(number).column(names.index(_MEASURED)).statistics
        all_null = known is not None and known.null_count == parquet.metadata.row_group(number).num_rows
        if known is None or not (all_null or (known.has_min_max and known.min)):
            groups.append(number)
    return groups
