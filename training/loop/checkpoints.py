"""Checkpoints: write under a temporary name, flush, rename, then move the pointer; remove those that are too old.

Each rank writes and reads its own shards (`training.shards`), and another number of ranks can read them. A checkpoint
is complete as soon as it has its name. `training.loop.resuming` reads them.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from foundation.storage.atomic import write_bytes_atomic, write_json_atomic
from foundation.storage.leases import require_lease
from foundation.storage.staged import flush
from models.run_folder import RunFolder
from models.weights import save_tensors
from training.data.order import Cursor
from training.loop.parallel import Ranks, full
from training.loop.run_state import RunState
from training.loop.task import Export
from training.loop.validation.held_out_metrics import Best
from training.shards.index import INDEX, ShardIndex
from training.shards.writing import FACTS, files_of, fill_facts, shard_index, write_shard

__all__ = ["Progress", "Writing", "remove_folder", "save_checkpoint", "tensors_of_export"]


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
    best: Best | None = None
    """The best validation so far; None: there was none."""


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
    writing = Writing(done.with_name(f"{done.name}.tmp"), ranks)
    tensors, shards = state.tensors(), writing.folder / "shards"
    if ranks.first:
        writing.attempt(partial(_begin, writing.folder, shards))
    writing.require_all()
    table = torch.zeros(ranks.size, FACTS, dtype=torch.int64)
    writing.attempt(lambda: fill_facts(table, write_shard(shards, tensors, ranks.rank), ranks.rank))
    for name, averaged in (("ema", True), ("raw", False)):
        exported = tensors_of_export(state, export, averaged=averaged)
        if ranks.first:
            file = writing.folder / "export" / f"{name}.safetensors"
            writing.attempt(partial(save_tensors, file, exported, export.config, export.facts))
    writing.require_all()
    index = shard_index(files_of(ranks.sum(table)), tensors)
    if ranks.first:
        writing.attempt(partial(_complete, run, writing.folder, index, progress))
        writing.attempt(partial(_remove_old, run, progress.step, keep_newest, keep_every))
    writing.require_all()
    return done


def _begin(temporary: Path, shards: Path) -> None:
    remove_folder(temporary)
    shards.mkdir(parents=True)


def _complete(run: RunFolder, temporary: Path, index: ShardIndex, progress: Progress) -> None:
    """Write what the first rank alone writes, give the checkpoint its name, and move the pointer."""
    done = run.checkpoint(progress.step)
    write_json_atomic(temporary / "shards" / INDEX, index.model_dump(mode="json"))
    write_json_atomic(temporary / "state.json", asdict(progress))
    for folder in (temporary / "shards", temporary / "export", temporary):
        flush(folder)
    require_lease(run.path)
    remove_folder(done)  # left by a run that was stopped before it moved the pointer
    temporary.rename(done)
    flush(run.path)
    write_bytes_atomic(run.pointer, f"{done.name}\n".encode())


class Writing:
    """A checkpoint that is being written: a rank that fails goes on to where all ranks learn of it."""

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        self.folder = folder
        self._ranks = ranks
        self._failure: OSError | None = None

    def attempt(self, action: Callable[[], None]) -> None:
        """Take an action, unless this rank has failed before."""
        if self._failure is None:
            try:
                action()
            except OSError as error:
                self._failure = error

    def require_all(self) -> None:
        """Raise on every rank, if one of them has failed; what was written is removed. Every rank has to call it.

        Raises:
            OSError: that of this rank, or one that says that another rank has it.
        """
        if not self._ranks.any(self._failure is not None):
            return
        if self._ranks.first:
            with suppress(OSError):
                remove_folder(self.folder)
        self._ranks.wait()
        raise self._failure or OSError(f"another process could not write {self.folder}; its message says why")


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that it holds, if it is there; of a link, the link alone.

    Raises:
        OSError: it cannot be removed.
    """
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _remove_old(run: RunFolder, newest: int, keep_newest: int, keep_every: int | None) -> None:
    """Remove checkpoints before step `newest`; those after it are of a course that was given up, and count for none."""
    steps = [step for step in run.checkpoints() if step <= newest]
    for step in steps[:-keep_newest]:
        if keep_every is None or step % keep_every:
            remove_folder(run.checkpoint(step))
