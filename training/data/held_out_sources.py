"""Sources that are the test set (`data.test_sources`): nothing is learned from their clips.

GAIA section 5.1 tests on a data set that nothing was trained on, "to eliminate the potential overlap". The VAE, the
statistics of its latents and the motion network are trained one after the other, so all three leave out the same.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from foundation.array_types import BoolArray
from foundation.errors import UsageError
from manifests.files.tables import read_table
from models.run_folder import RunFolder
from models.run_record import RunRecord
from training.data.fair_shares import left_out_by

__all__ = [
    "HeldOutError",
    "held_out_sources",
    "learned_rows",
    "named_sources",
    "require_known_sources",
    "require_sources_of_vae",
    "sources_in",
]

_SETTING = "data.test_sources"

_NAMES = TypeAdapter(tuple[str, ...])


class HeldOutError(UsageError):
    """Sources of the test set are unknown, or something was learned from them; the message says what to do."""


def require_known_sources(dataset: Path, rows: pa.Table, names: tuple[str, ...]) -> None:
    """Refuse names of the test set that no clip of a dataset has.

    Args:
        dataset: for the message.
        rows: all its clips, with `source`.
        names: values of `data.test_sources`.

    Raises:
        HeldOutError: a name is not among them; the message lists those that are.
    """
    found = set(pc.unique(rows["source"]).to_pylist())
    unknown = sorted({*names} - found)
    if unknown:
        listed = ", ".join(map(repr, sorted(found)))
        raise HeldOutError(
            f"{dataset}: no clip has the source {', '.join(map(repr, unknown))} of {_SETTING}; the clips have source "
            f"{listed}: change {_SETTING}"
        )


def learned_rows(rows: pa.Table, names: tuple[str, ...]) -> tuple[pa.Table, list[str]]:
    """Return the rows of other sources than those of the test set, and a sentence on the rest where there are any.

    Args:
        rows: clips as of `training.data.fair_shares.left_out_by`, with `source`.
        names: values of `data.test_sources`.
    """
    learned: BoolArray = ~np.isin(np.array(rows["source"].to_pylist(), dtype=np.str_), np.array(names, dtype=np.str_))
    setting = f"{_SETTING}=[{','.join(names)}]"
    return rows.filter(pa.array(learned)), left_out_by(rows, learned, setting)


def named_sources(record: RunRecord) -> tuple[str, ...]:
    """Return the value of `data.test_sources` that a run was trained with; runs of earlier versions have none."""
    data = record.settings.get("data")
    names = data.get("test_sources") if isinstance(data, dict) else None
    try:
        return () if names is None else _NAMES.validate_python(names)
    except ValidationError:
        return ()


def held_out_sources(run: RunFolder) -> tuple[str, ...]:
    """Return the sources that a run holds out: its `data.test_sources`; none where it has no record.

    Raises:
        RunFolderError: its record is damaged.
        HeldOutError: the run was begun with other sources than it names now, so that it may have learned from them.
    """
    if not run.holds(run.run_record):
        return ()
    record = run.record()
    names = named_sources(record)
    if names and any(_SETTING in change.changed for change in record.history):
        raise HeldOutError(
            f"{run.path} was resumed with another {_SETTING} than before, so it may have learned from "
            f"{', '.join(map(repr, names))}; train another run with {_setting_of(names)}"
        )
    return names


def sources_in(dataset: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `names` that clips of a dataset have as their source.

    Raises:
        DatasetError: the dataset is damaged.
    """
    if not names:
        return ()
    found = set(pc.unique(read_table(dataset, "clips", ["source"])["source"]).to_pylist())
    return tuple(name for name in names if name in found)


def require_sources_of_vae(dataset: Path, vae: RunFolder, names: tuple[str, ...]) -> None:
    """Refuse to train a motion network with another test set than its VAE, whose latents leave out the VAE's test set.

    Args:
        dataset: of both.
        vae: run of the VAE.
        names: `data.test_sources` of the motion network.

    Raises:
        HeldOutError: they differ; the message has the setting that mends it.
    """
    before = sources_in(dataset, held_out_sources(vae))
    if set(before) == set(names):
        return
    if set(names) - set(before):
        raise HeldOutError(
            f"{_SETTING} is {list(names)}, but the VAE in {vae.path} was trained with {list(before)}, so it may have "
            f"learned from the others; train the VAE with {_setting_of(names)}, and encode the latents again"
        )
    raise HeldOutError(
        f"{_SETTING} is {list(names)}, but the VAE in {vae.path} holds out {list(before)}, of which there are no "
        f"latents; give {_setting_of(before)}"
    )


def _setting_of(names: tuple[str, ...]) -> str:
    return f"--set {_SETTING}=[{','.join(names)}]"
