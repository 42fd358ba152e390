"""How the folders that runs were given were read, in dataset.json: each is read in one way, whatever is added to it."""

import hashlib
import os
from pathlib import Path

from curation.dataset_folder import DatasetFolderError
from curation.layouts import LayoutName
from manifests.dataset import SourceLayout, read_dataset, write_dataset
from manifests.storage import is_address

__all__ = ["keep_layout", "require_same_layout"]


def keep_layout(dataset: Path, source: str, layout: LayoutName | None) -> None:
    """Note down how a folder is read.

    Args:
        dataset: the dataset.
        source: as it was given to the run.
        layout: of the folder; None where `source` is none.

    Raises:
        DatasetFolderError: an earlier run read the folder in another way.
        OSError: the dataset cannot be written.
    """
    if layout is None or require_same_layout(dataset, source, layout):
        return
    record = read_dataset(dataset)
    new = SourceLayout(folder_sha256=_digest(source), layout=layout)
    write_dataset(dataset, record.model_copy(update={"layouts": (*record.layouts, new)}))


def require_same_layout(dataset: Path, source: str, layout: LayoutName) -> bool:
    """Return whether an earlier run of a dataset has read this folder.

    Raises:
        DatasetFolderError: it read the folder in another way: other speakers, other stretches.
    """
    digest = _digest(source)
    before = [told.layout for told in read_dataset(dataset).layouts if told.folder_sha256 == digest]
    if before and layout not in before:
        raise DatasetFolderError(
            f"{dataset} was made with other settings: layout of {source}: {layout}, was {before[0]}. Give "
            f"--layout {before[0]}, or a new --out"
        )
    return bool(before)


def _digest(source: str) -> str:
    place = source.rstrip("/") if is_address(source) else str(Path(source).absolute())
    return hashlib.sha256(os.fsencode(place)).hexdigest()
