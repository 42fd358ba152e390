"""Checkpoints: write under a temporary name, flush, rename, then move the pointer; remove those that are too old.

Each rank writes and reads its own shards (torch's distributed checkpoints), and another number of ranks can read them.
A checkpoint is complete as soon as it has its name.
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
from foundation.storage.leases import require_lease
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
    """State of a run apart from its tensors."""

    step: int = 0
    """Steps done."""
    cursor: Cursor = field(default_factory=Cursor)
    bad_steps: int = 0
    """Length of the current row of skipped steps."""
    skipped: int = 0
    """Steps of the run that were skipped, because gradients were not finite."""


def tensors_of_export(state: RunState, export: Export, *, averaged: bool) -> dict[str, Tensor]:
    """Return the full state dict of the exported network on the CPU; every rank has to call it."""
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
        OSError: the disk refused; earlier checkpoints are as they were.
    """
    done = run.checkpoint(progress.step)
    temporary = done.with_name(f"{done.name}.tmp")
    if ranks.first:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
    ranks.wait()
    with _no_warning_about_one_process():
        save(state.tensors(), checkpoint_id=temporary / "dcp", no_dist=ranks.size == 1)
    for name, averaged in (("ema", True), ("raw", False)):
        tensors = tensors_of_export(state, export, averaged=averaged)
        if ranks.first:
            save_tensors(temporary / "export" / f"{name}.safetensors", tensors, export.config, export.facts)
    if ranks.first:
        write_json_atomic(temporary / "state.json", asdict(progress))
        for folder in (temporary / "dcp", temporary / "export", temporary):
            flush(folder)
        require_lease(run.path)
        if done.exists():  # left by a run that was stopped before it moved the pointer
            shutil.rmtree(done)
        temporary.rename(done)
        flush(run.path)
        write_bytes_atomic(run.pointer, f"{done.name}\n".encode())
        _remove_old(run, keep_newest, keep_every)
    ranks.wait()
    return done


@contextmanager
def _no_warning_about_one_process() -> Iterator[None]:
    """Silence torch's warning that a single process saves without a process group."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _remove_old(run: RunFolder, keep_newest: int, keep_every: int | None) -> None:
    steps = list(run.checkpoints())
    for step in steps[:-keep_newest]:
        if keep_every is None or step % keep_every:
            shutil.rmtree(run.checkpoint(step))


def read_progress(checkpoint: Path) -> Progress:
    """Return the state of a run in a checkpoint.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = checkpoint / "state.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        # older checkpoints do not count all skipped steps
        skipped = content.get("skipped", content["bad_steps"])
        return Progress(content["step"], Cursor(**content["cursor"]), content["bad_steps"], skipped)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; write another checkpoint's name into `latest`") from error


def load_checkpoint(checkpoint: Path, state: RunState, ranks: Ranks) -> Progress:
    """Load the tensors of a checkpoint into `state`, in place, and return its progress; every rank has to call it.

    Raises:
        CheckpointError: it is damaged, or its networks have other parameters.
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
        with _no_warning_about_one_process():
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
