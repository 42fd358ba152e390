"""Checkpoints: write under a temporary name, flush, rename, then move the pointer; remove those that are too old.

Each rank writes and reads its own shards (`training.shards`), and another number of ranks can read them. A checkpoint
is complete as soon as it has its name. What is read is checked first: a run goes on from the newest checkpoint that is
whole.
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic, write_json_atomic
from foundation.storage.regular_files import read_small
from foundation.storage.staged import flush
from models.run_folder import RunFolder, step_of
from models.tensor_files import TensorShape
from models.weights import save_tensors
from training.data.order import Cursor
from training.loop.parallel import Ranks, full
from training.loop.run_state import RunState
from training.loop.task import Export
from training.shards.index import ShardFile, ShardsError, write_index
from training.shards.pickled import PickledShards
from training.shards.reading import Shards, StoredTensors
from training.shards.rows import held_rows, local_rows
from training.shards.writing import packed_facts, unpacked_files, write_shard

__all__ = [
    "CheckpointError",
    "Progress",
    "load_checkpoint",
    "load_newest",
    "read_progress",
    "remove_folder",
    "save_checkpoint",
    "tensors_of_export",
]


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
    failure: OSError | None = None
    file: ShardFile | None = None
    tensors = state.tensors()
    if ranks.first:
        try:
            remove_folder(temporary)
            (temporary / "shards").mkdir(parents=True)
        except OSError as error:
            failure = error
    ranks.wait()
    if failure is None:
        try:
            file = write_shard(temporary / "shards", tensors, ranks.rank)
        except OSError as error:
            failure = error
    for name, averaged in (("ema", True), ("raw", False)):
        exported = tensors_of_export(state, export, averaged=averaged)  # every rank has to call it
        if ranks.first and failure is None:
            try:
                save_tensors(temporary / "export" / f"{name}.safetensors", exported, export.config, export.facts)
            except OSError as error:
                failure = error
    _require_all_wrote(temporary, failure, ranks)
    files = ranks.sum(packed_facts(file, ranks.rank, ranks.size))
    if ranks.first:
        try:
            shapes = {name: TensorShape(tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
            write_index(temporary / "shards", unpacked_files(files), shapes)
            write_json_atomic(temporary / "state.json", asdict(progress))
            for folder in (temporary / "shards", temporary / "export", temporary):
                flush(folder)
            remove_folder(done)  # left by a run that was stopped before it moved the pointer
            temporary.rename(done)
            flush(run.path)
            write_bytes_atomic(run.pointer, f"{done.name}\n".encode())
            _remove_old(run, progress.step, keep_newest, keep_every)
        except OSError as error:
            failure = error
    _require_all_wrote(temporary, failure, ranks)
    return done


def _require_all_wrote(temporary: Path, failure: OSError | None, ranks: Ranks) -> None:
    """Remove the unfinished checkpoint and raise on every rank, if one of them could not write.

    Raises:
        OSError: that of this rank, or one that says that another rank has it.
    """
    if not ranks.any(failure is not None):
        return
    if ranks.first:
        with suppress(OSError):
            remove_folder(temporary)
    ranks.wait()
    raise failure or OSError(f"another process could not write {temporary.with_suffix('')}; its message says why")


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


class _Cursor(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    epoch: int = Field(ge=0, lt=2**31)
    position: int = Field(ge=0, lt=2**31)


class _State(BaseModel):
    """The content of state.json."""

    model_config = ConfigDict(strict=True, extra="forbid")

    step: int = Field(ge=0, lt=2**48)
    cursor: _Cursor
    bad_steps: int = Field(ge=0)
    skipped: int | None = Field(default=None, ge=0)
    """None: an older checkpoint, which does not count all skipped steps."""


def read_progress(checkpoint: Path) -> Progress:
    """Return the state of a run in a checkpoint.

    Raises:
        CheckpointError: the file is damaged, or of another step than the folder's name says.
    """
    path = checkpoint / "state.json"
    try:
        state = _State.model_validate_json(read_small(path, 65536, follow_links=False))
    except OSError as error:
        raise CheckpointError(f"{path} is damaged: {error}; {_OTHER}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        raise CheckpointError(f"{path} is damaged: {where[:80]!r}: {first['msg']}; {_OTHER}") from error
    skipped = state.bad_steps if state.skipped is None else state.skipped
    if checkpoint.name != RunFolder(checkpoint.parent).checkpoint(state.step).name:
        raise CheckpointError(f"{path} is damaged: it is of step {state.step}; {_OTHER}")
    if not state.bad_steps <= skipped <= state.step:
        raise CheckpointError(
            f"{path} is damaged: {state.bad_steps} steps skipped in a row, {skipped} skipped, {state.step} done; {_OTHER}"
        )
    return Progress(state.step, Cursor(state.cursor.epoch, state.cursor.position), state.bad_steps, skipped)


_OTHER = "write another checkpoint's name into `latest`"


def load_newest(
    run: RunFolder,
    state: RunState,
    ranks: Ranks,
    *,
    allow_pickled: bool,
    say: Callable[[str], None],
) -> Progress | None:
    """Load the newest checkpoint that is whole into `state`, in place; every rank has to call it.

    Args:
        run: the folder.
        state: of the networks as they were built.
        ranks: the processes.
        allow_pickled: whether checkpoints of earlier versions are read.
        say: takes a sentence for the user about each checkpoint that is damaged.

    Returns:
        Its progress; None: the run has no checkpoint yet.

    Raises:
        RunFolderError: `latest` holds no name of a checkpoint.
        CheckpointError: none is whole, or the one to load is of other networks or of an earlier version.
    """
    named = run.named()
    if named is None:
        return None
    earlier = [folder for step, folder in run.checkpoints().items() if step < step_of(named.name)]
    problems: list[str] = []
    for folder in (named, *reversed(earlier)):
        try:
            progress, stored = _whole(folder, ranks, allow_pickled=allow_pickled)
        except _DamagedError as error:
            problems.append(f"{folder.name}: {error}")
            continue
        for problem in problems:
            say(f"checkpoint {problem}")
        if problems:
            say(f"the run goes on from {folder.name}, the newest checkpoint before that is whole")
        _load(folder, stored, state)
        return progress
    raise CheckpointError(f"no checkpoint of {run.path} is whole ({'; '.join(problems)}); take another --out")


def load_checkpoint(checkpoint: Path, state: RunState, ranks: Ranks, *, allow_pickled: bool = False) -> Progress:
    """Load the tensors of a checkpoint into `state`, in place, and return its progress; every rank has to call it.

    Raises:
        CheckpointError: it is damaged, its networks have other parameters, or it is of an earlier version and
            `allow_pickled` is false.
    """
    try:
        progress, stored = _whole(checkpoint, ranks, allow_pickled=allow_pickled)
    except _DamagedError as error:
        raise CheckpointError(f"{error}; {_OTHER}") from error
    _load(checkpoint, stored, state)
    return progress


class _DamagedError(Exception):
    """A checkpoint cannot be used, and an earlier one may be."""


def _whole(checkpoint: Path, ranks: Ranks, *, allow_pickled: bool) -> tuple[Progress, StoredTensors]:
    """Return progress and tensors of a checkpoint that is whole; the ranks share the work of looking at its digests.

    Raises:
        _DamagedError: on every rank, if one finds damage.
        CheckpointError: it is of an earlier version, and `allow_pickled` is false.
    """
    problem, opened = None, None
    try:
        if checkpoint.is_symlink() or not checkpoint.is_dir():
            raise ShardsError(f"{checkpoint} is no folder of the run")
        pickled = not (checkpoint / "shards").exists() and (checkpoint / "dcp").is_dir()
        if not pickled or allow_pickled:
            opened = _opened(checkpoint, ranks, pickled=pickled)
    except (OSError, ShardsError, CheckpointError) as error:
        problem = str(error)
    if ranks.any(problem is not None):
        raise _DamagedError(problem or "another process found it damaged")
    if opened is None:
        raise CheckpointError(
            f"{checkpoint} is of an earlier version, whose checkpoints contain a pickle; give "
            "--allow-pickled-checkpoint to read it with a reader that runs nothing, or take another --out"
        )
    return opened


def _opened(checkpoint: Path, ranks: Ranks, *, pickled: bool) -> tuple[Progress, StoredTensors]:
    progress = read_progress(checkpoint)
    if pickled:
        return progress, PickledShards(checkpoint / "dcp")
    if (checkpoint / "shards").is_symlink():
        raise ShardsError(f"{checkpoint / 'shards'} is a link")
    shards = Shards(checkpoint / "shards")
    damage = shards.damaged(ranks.rank, ranks.size)
    if damage is not None:
        raise ShardsError(damage)
    return progress, shards


def _load(checkpoint: Path, stored: StoredTensors, state: RunState) -> None:
    """Copy the rows that this rank holds.

    Raises:
        CheckpointError: its networks have other parameters, or a file that was whole cannot be read any more.
    """
    state.make_room(stored.shapes)
    tensors = state.tensors()
    _refuse_other_networks(checkpoint, stored.shapes, tensors)
    wanted = {name: held_rows(tensor) for name, tensor in tensors.items()}
    try:
        with torch.no_grad():
            for name, rows, values in stored.pieces(wanted):
                target, first = local_rows(tensors[name]), wanted[name].begin
                (target[rows.begin - first : rows.end - first] if target.ndim else target).copy_(values)
    except ShardsError as error:
        raise CheckpointError(f"{error}; {_OTHER}") from error


def _refuse_other_networks(
    checkpoint: Path, saved: Mapping[str, TensorShape], tensors: Mapping[str, Tensor]
) -> None:
    there = {name: shape.size for name, shape in saved.items()}
    here = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    differing = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    if differing:
        name = differing[0]
        raise CheckpointError(
            f"{checkpoint} is of other networks: {len(differing)} tensors differ, such as {name[:200]}: "
            f"{list(there.get(name, ())) if name in there else 'absent'} there, "
            f"{list(here.get(name, ())) if name in here else 'absent'} here; resume with the settings in run.json"
        )
