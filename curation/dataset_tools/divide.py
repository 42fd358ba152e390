"""Division of a dataset's clips into train, val and test anew, without regard to how they were divided before."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

from curation.output.folder import DatasetFolder
from curation.output.sole_writer import sole_writer
from curation.splits.assignment import Assignment, EarlierSplits
from curation.splits.settings import SplitSettings
from foundation.packages import DISTRIBUTION
from foundation.storage.leases import require_lease
from manifests.files.journal import finish_swap
from manifests.record import HistoryStep, draft_dataset

__all__ = ["divide"]


def divide(dataset: str | Path, shares: Mapping[str, float] | None = None, *, wait: bool = False) -> Assignment:
    """Divide all clips by speaker, person and near-duplicates, so that nobody is in two splits.

    Args:
        dataset: a finished dataset.
        shares: `val_share` and `test_share`, the shares of the hours asked for; those of the dataset where they are
            not given.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, or is damaged.
        LeaseHeldError: another command writes to it, and `wait` is false.
        OSError: a file cannot be read or written; the same call completes it.
    """
    with sole_writer(dataset, "gaia-curate split", wait=wait):
        folder = DatasetFolder.existing(dataset)
        finish_swap(folder.path)
        split = SplitSettings.model_validate(folder.settings.split.model_dump() | dict(shares or {}))
        folder.settings = folder.settings.model_copy(update={"split": split})
        step = HistoryStep(command="split", software_version=importlib.metadata.version(DISTRIBUTION))
        history = folder.record.history
        folder.record = folder.record.model_copy(
            update={
                "config": folder.settings.model_dump(mode="json"),
                "history": history if history[-1:] == (step,) else (*history, step),
            }
        )
        require_lease(folder.path)
        draft_dataset(folder.path, folder.record)
        folder.earlier = EarlierSplits(clips={}, videos={})
        folder.finish(folder.rows())
        return folder.assignment
