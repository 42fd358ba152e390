"""Removal of the identity descriptors of faces from a dataset."""

from pathlib import Path

from foundation.storage.leases import require_lease
from manifests.files.descriptor_columns import DESCRIBED_TABLES, file_holds_descriptors, without_descriptors
from manifests.packing.packed_files import table_inventory
from manifests.packing.rewrite import rewrite_file

__all__ = ["drop_descriptors"]


def drop_descriptors(dataset: Path) -> None:
    """Write every file of `frames` and `clips` that holds descriptors anew without them; all else stays as it is.

    An interrupted call is completed by the next one.

    Args:
        dataset: the folder; no other process may write to it at the same time.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    for table in DESCRIBED_TABLES:
        for file in table_inventory(dataset, table):
            if file_holds_descriptors(file.path):
                require_lease(dataset)
                rewrite_file(dataset, table, file, lambda _video, rows: without_descriptors(rows))
