"""Rows of the table `identities`, which is one file: written as a whole, and without videos that are gone."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from foundation.storage.leases import require_lease
from manifests.files.tables import read_table, table_files, write_parquet
from manifests.schema.identities import IDENTITIES

__all__ = ["keep_identities", "persons_of_clips", "write_identities"]


def write_identities(dataset: Path, rows: pa.Table) -> None:
    """Replace the table `identities`; equal rows give equal bytes.

    Raises:
        ValueError: a column is missing, unknown, or null where it cannot be.
        OSError: the file cannot be written; the table is as it was before.
    """
    require_lease(dataset)
    write_parquet(dataset / IDENTITIES.name / "identities.parquet", rows, IDENTITIES)


def keep_identities(dataset: Path, live: Collection[str]) -> None:
    """Remove the rows of all videos but those of `live`; a table without others stays as it is.

    Raises:
        DatasetError: the table is damaged.
        OSError: it cannot be written.
    """
    if not table_files(dataset, IDENTITIES.name):
        return
    rows = read_table(dataset, IDENTITIES.name)
    kept = rows.filter(pc.is_in(rows["video_id"], value_set=pa.array(sorted(live), pa.string())))
    if len(kept) < len(rows):
        write_identities(dataset, kept)


def persons_of_clips(dataset: Path) -> dict[str, tuple[str, float]]:
    """Return by clip id the person and the confidence that the table gives it.

    Raises:
        DatasetError: the table is damaged.
    """
    rows = read_table(dataset, IDENTITIES.name, ["clip_ids", "person_id", "person_confidence"]).to_pylist()
    return {clip: (row["person_id"], row["person_confidence"]) for row in rows for clip in row["clip_ids"]}
