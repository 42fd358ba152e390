"""Begin or resume a run in its folder; `models.run_folder` has the layout."""

from collections.abc import Callable, Mapping
from importlib.metadata import version

from foundation.packages import DISTRIBUTION
from foundation.settings import Setting, differences
from foundation.storage.atomic import write_json_atomic
from models.run_folder import RunFolder, RunFolderError, step_of
from models.run_record import FORMAT, RunChange, RunRecord
from training.data.identity import LearntData
from training.loop.checkpoints import remove_folder

__all__ = ["begin_run", "require_same_run"]

_FREE = "train."
"""Settings that a resumed run may change: how long, how laid out, how often."""

_BOUND = ("train.seed", "train.batch")
"""But not these: the order and the draws of samples follow from them."""


def require_same_run(
    run: RunFolder, task: str, settings: Mapping[str, Setting], data: LearntData, *, accept_changes: bool
) -> None:
    """Check that the folder is free for a new run, or holds this run; nothing is written.

    Args:
        run: new, empty, or begun before.
        task: such as `vae`.
        settings: all of them.
        data: the clips that it learns from.
        accept_changes: whether a run may be resumed with other settings or on other data.

    Raises:
        RunFolderError: the folder has another task's run, one with other settings or data, something else, or links
            and other things that are no files.
    """
    if run.path.is_dir():
        run.require_plain()
    if run.run_record.exists():
        record = run.record()
        if record.task != task:
            raise RunFolderError(f"--out {run.path} holds a run of {record.task[:80]}, not of {task}; name another")
        changed = differences(settings, record.settings)
        bound = {name: text for name, text in changed.items() if not name.startswith(_FREE) or name in _BOUND}
        bound |= _changes_of_data(run, record, data)
        if bound and not accept_changes:
            listed = "; ".join(f"{name} is {text}" for name, text in bound.items())
            raise RunFolderError(
                f"--out {run.path} holds a run with other settings or data: {listed}; give those again, name another "
                "folder, or go on with --accept-changes"
            )
    # a start that was killed leaves a hidden file at most
    elif run.path.is_dir() and any(not path.name.startswith(".") for path in run.path.iterdir()):
        raise RunFolderError(f"--out {run.path} holds files, but no run; name a folder that is new or empty")


def _changes_of_data(run: RunFolder, record: RunRecord, data: LearntData) -> dict[str, str]:
    return {} if record.data is None else data.changes(record.data, run.clips)


def begin_run(
    run: RunFolder,
    task: str,
    preset: str,
    settings: Mapping[str, Setting],
    data: LearntData,
    write_files: Callable[[], None],
) -> None:
    """Begin or resume a run that `require_same_run` let pass; an unfinished checkpoint is removed.

    One process calls it, after all have called `require_same_run`.

    Args:
        run: its folder is made where it is missing.
        task: such as `vae`.
        preset: such as `recommended`.
        settings: all of them.
        data: the clips that it learns from.
        write_files: writes the task's own files; it may refuse a run, which is then left as it is.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    for leftover in run.path.iterdir():
        if leftover.suffix == ".tmp" and step_of(leftover.stem) is not None:
            remove_folder(leftover)
    changed: dict[str, str] = {}
    history: tuple[RunChange, ...] = ()
    is_new = not run.run_record.exists()
    if not is_new:
        write_files()
        record = run.record()
        changed, history = differences(settings, record.settings), record.history
        changed |= _changes_of_data(run, record, data)
        if not changed and record.data is not None:
            return
    if changed or not history:
        newest = run.newest()
        history = (*history, RunChange(at=newest.name if newest else None, changed=changed))
    # the record names the digest of the clips, so that a run that is killed between the two lacks their names at most
    data.write(run.clips)
    begun = RunRecord(
        format=FORMAT,
        task=task,
        preset=preset,
        software=version(DISTRIBUTION),
        settings=dict(settings),
        data=data.record,
        history=history,
    )
    write_json_atomic(run.run_record, begun.model_dump(mode="json", by_alias=True))
    if is_new:  # a folder with other files and no record would be taken for something else than a run
        write_files()
