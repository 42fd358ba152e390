"""Removal of the identity descriptors of faces and voices from a dataset."""

from pathlib import Path

from foundation.storage.leases import require_lease
from manifests.files.descriptor_columns import file_holds_descriptors, without_descriptors
from manifests.files.tables import read_table
from manifests.packing.identity_rows import write_identities
from manifests.packing.packed_files import table_inventory
from manifests.packing.rewrite import rewrite_file
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.identities import IDENTITIES

__all__ = ["drop_descriptors"]


def drop_descriptors(dataset: Path) -> None:
    """Write every file that holds descriptors of faces or voices anew without them; all else stays as it is.

    An interrupted call is completed by the next one.

    Args:
        dataset: the folder; no other process may write to it at the same time.

    Raises:
        DatasetError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    identities = read_table(dataset, IDENTITIES.name)
    if identities["voice_embedding"].null_count < len(identities):
        write_identities(dataset, without_descriptors(identities))
    for table in (CLIPS, FRAMES):  # those of `frames`, by which people are recognised, are the last to be removed
        for file in table_inventory(dataset, table):
            if file_holds_descriptors(file.path):
                require_lease(dataset)
                rewrite_file(dataset, table, file, lambda _video, rows: without_descriptors(rows))
