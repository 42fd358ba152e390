"""Checkpoints: written beside, flushed, renamed, and only then pointed to; those not wanted any more are removed.

All ranks write and read their own parts of the tensors (torch's distributed checkpoints), and another number of ranks
can read them. A checkpoint may be read as soon as it has its name.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic, write_json_atomic
from foundation.storage.staged import flush
from models.run_folder import RunFolder
from models.weights import save_tensors
from training.data.order import Cursor
from training.loop.parallel import Ranks, full
from training.loop.run_state import RunState
from training.loop.task import Export

__all__ = ["CheckpointError", "Progress", "load_checkpoint", "read_progress", "save_checkpoint", "tensors_of_export"]


class CheckpointError(UsageError):
    """A checkpoint cannot be read, or is of other networks; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, but for its tensors."""

    step: int = 0
    """Steps done."""
    cursor: Cursor = field(default_factory=Cursor)
    bad_steps: int = 0
    """How many of the last steps in a row were skipped."""


def tensors_of_export(state: RunState, export: Export, *, averaged: bool) -> dict[str, Tensor]:
    """Return the state dict of the exported network, whole and on the CPU; every rank has to call it."""
    tensors = state.tensors()
    found = {}
    for name, tensor in tensors.items():
        prefix = f"network.{export.network}."
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            chosen = tensors.get(f"average.{export.network}.{key}", tensor) if averaged else tensor
            found[key] = full(chosen).detach().cpu()
    return found


def save_checkpoint(
    run: RunFolder,
    progress: Progress,
    state: RunState,
    export: Export,
    ranks: Ranks,
    *,
    keep_newest: int,
    keep_every: int | None,
) -> Path:
    """Write the checkpoint of `progress`; every rank has to call it.

    Raises:
        OSError: the disk refused; the checkpoints of before are as they were.
    """
    done = run.checkpoint(progress.step)
    beside = done.with_name(f"{done.name}.tmp")
    if ranks.first:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
    ranks.wait()
    with _alone_without_warning():
        save(state.tensors(), checkpoint_id=beside / "dcp", no_dist=ranks.size == 1)
    for name, averaged in (("ema", True), ("raw", False)):
        tensors = tensors_of_export(state, export, averaged=averaged)
        if ranks.first:
            save_tensors(beside / "export" / f"{name}.safetensors", tensors, export.config, export.facts)
    if ranks.first:
        write_json_atomic(beside / "state.json", asdict(progress))
        for folder in (beside / "dcp", beside / "export", beside):
            flush(folder)
        if done.exists():  # of a run that was stopped between this name and the pointer
            shutil.rmtree(done)
        beside.rename(done)
        flush(run.path)
        write_bytes_atomic(run.pointer, f"{done.name}\n".encode())
        _remove_old(run, keep_newest, keep_every)
    ranks.wait()
    return done


@contextmanager
def _alone_without_warning() -> Iterator[None]:
    """Keep torch from warning that one process saves what one process trained."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _remove_old(run: RunFolder, keep_newest: int, keep_every: int | None) -> None:
    steps = list(run.checkpoints())
    for step in steps[:-keep_newest]:
        if keep_every is None or step % keep_every:
            shutil.rmtree(run.checkpoint(step))


def read_progress(checkpoint: Path) -> Progress:
    """Return where the run stood.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = checkpoint / "state.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Progress(said["step"], Cursor(**said["cursor"]), said["bad_steps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; write another checkpoint's name into `latest`") from error


def load_checkpoint(checkpoint: Path, state: RunState, ranks: Ranks) -> Progress:
    """Put the tensors of a checkpoint into `state`, in place, and return where the run stood; every rank calls it.

    Raises:
        CheckpointError: it is damaged, or of networks with other parameters.
    """
    progress = read_progress(checkpoint)
    folder = checkpoint / "dcp"
    try:
        entries = FileSystemReader(folder).read_metadata().state_dict_metadata
    except (OSError, CheckpointException) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    saved = {
        name: (entry.size, entry.properties.dtype)
        for name, entry in entries.items()
        if isinstance(entry, TensorStorageMetadata)
    }
    state.make_room(saved)
    tensors = state.tensors()
    _refuse_other_networks(checkpoint, saved, tensors)
    try:
        with _alone_without_warning():
            load(tensors, checkpoint_id=folder, no_dist=ranks.size == 1)
    except (OSError, CheckpointException) as error:
        raise CheckpointError(f"{folder} is damaged: {error}; write another one's name into `latest`") from error
    return progress


def _refuse_other_networks(
    checkpoint: Path, saved: Mapping[str, tuple[torch.Size, torch.dtype]], tensors: Mapping[str, Tensor]
) -> None:
    there = {name: size for name, (size, _) in saved.items()}
    here = {name: tensor.shape for name, tensor in tensors.items()}
    differing = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    if differing:
        name = differing[0]
        raise CheckpointError(
            f"{checkpoint} is of other networks: {len(differing)} tensors differ, such as {name}: "
            f"{list(there.get(name, ())) if name in there else 'absent'} there, "
            f"{list(here.get(name, ())) if name in here else 'absent'} here; resume with the settings in run.json"
        )
