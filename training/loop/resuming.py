"""Go on from the newest checkpoint of a run that is whole; `training.loop.checkpoints` writes them.

A checkpoint may come from somebody else, or be damaged. It is looked at before anything is loaded: sizes and digests of
its files, whether all rows of all tensors are there, and whether its numbers can be those of a run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from foundation.errors import UsageError
from foundation.storage.regular_files import read_small
from foundation.text import count_text
from models.run_folder import RunFolder, step_of
from models.tensor_files import TensorShape
from training.data.order import Cursor
from training.loop.checkpoints import Progress
from training.loop.parallel import Ranks
from training.loop.run_state import RunState
from training.loop.validation.held_out_metrics import Best
from training.shards.index import ShardsError
from training.shards.pickled import PickledShards
from training.shards.reading import Shards, StoredTensors
from training.shards.rows import held_rows, local_rows

__all__ = ["CheckpointError", "load_checkpoint", "load_newest", "read_progress"]

_OTHER = "write another checkpoint's name into `latest`"


class CheckpointError(UsageError):
    """A checkpoint cannot be read, or is of other networks; the message says which and what to do."""


class _Cursor(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    epoch: int = Field(ge=0, lt=2**31)
    position: int = Field(ge=0, lt=2**31)


class _Best(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    metric: str = Field(max_length=200)
    value: float = Field(allow_inf_nan=False)
    step: int = Field(ge=1, lt=2**48)
    since: int = Field(ge=0, lt=2**48)
    identity: str = Field(max_length=200)


class _State(BaseModel):
    """The content of state.json."""

    model_config = ConfigDict(strict=True, extra="forbid")

    step: int = Field(ge=0, lt=2**48)
    cursor: _Cursor
    bad_steps: int = Field(ge=0)
    skipped: int | None = Field(default=None, ge=0)
    """None: an older checkpoint, which does not count all skipped steps."""
    best: _Best | None = None
    """None: nothing was validated before it, as in all older checkpoints."""


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
            f"{path} is damaged: {state.bad_steps} steps skipped in a row, {skipped} skipped, {state.step} done; "
            f"{_OTHER}"
        )
    best = None if state.best is None else Best(**state.best.model_dump())
    if best is not None and best.step > state.step:
        raise CheckpointError(f"{path} is damaged: the best of {state.step} steps is of step {best.step}; {_OTHER}")
    return Progress(state.step, Cursor(state.cursor.epoch, state.cursor.position), state.bad_steps, skipped, best)


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
    earlier = [folder for folder in run.checkpoints().values() if _step(folder) < _step(named)]
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


def _step(checkpoint: Path) -> int:
    return step_of(checkpoint.name) or 0


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
    pickled = not (checkpoint / "shards").exists() and (checkpoint / "dcp").is_dir()
    try:
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
    folder = checkpoint / ("dcp" if pickled else "shards")
    _require_folder(checkpoint)
    progress = read_progress(checkpoint)
    _require_folder(folder)
    if pickled:
        return progress, PickledShards(folder)
    shards = Shards(folder)
    damage = shards.damaged(ranks.rank, ranks.size)
    if damage is not None:
        raise ShardsError(damage)
    return progress, shards


def _require_folder(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise ShardsError(f"{folder} cannot be read: it is no folder of the run")


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


def _refuse_other_networks(checkpoint: Path, saved: Mapping[str, TensorShape], tensors: Mapping[str, Tensor]) -> None:
    here = {name: TensorShape(tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    differing = sorted(name for name in {*saved, *here} if saved.get(name) != here.get(name))
    if differing:
        name = differing[0]
        raise CheckpointError(
            f"{checkpoint} is of other networks: {count_text(len(differing), 'tensor differs', 'tensors differ')}, "
            f"such as {name[:200]}: {_shape_text(saved.get(name))} there, {_shape_text(here.get(name))} here; resume "
            "with the settings in run.json"
        )


def _shape_text(shape: TensorShape | None) -> str:
    """Return size and type for people; float32 goes without saying.

    >>> _shape_text(TensorShape((8, 3), torch.float32)), _shape_text(TensorShape((), torch.int64)), _shape_text(None)
    ('[8, 3]', '[] of int64', 'absent')
    """
    if shape is None:
        return "absent"
    kind = "" if shape.dtype == torch.float32 else f" of {str(shape.dtype).removeprefix('torch.')}"
    return f"{list(shape.size)}{kind}"
