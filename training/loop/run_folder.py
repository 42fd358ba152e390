"""Begin or resume a run in its folder; `models.run_folder` has the layout."""

import shutil
from collections.abc import Mapping
from importlib.metadata import version

from foundation.packages import DISTRIBUTION
from foundation.settings import Setting, differences
from foundation.storage.atomic import write_json_atomic
from models.run_folder import FORMAT, RunFolder, RunFolderError

__all__ = ["begin_run", "require_same_run"]

_FREE = "train."
"""Settings that a resumed run may change: how long, how laid out, how often."""

_BOUND = ("train.seed", "train.batch")
"""But not these: the order and the draws of samples follow from them."""


def require_same_run(run: RunFolder, task: str, settings: Mapping[str, Setting], *, accept_changes: bool) -> None:
    """Check that the folder is free for a new run, or holds this run; nothing is written.

    Args:
        run: new, empty, or begun before.
        task: such as `vae`.
        settings: all of them.
        accept_changes: whether a run may be resumed with other settings.

    Raises:
        RunFolderError: the folder has another task's run, one with other settings, or something else.
    """
    if run.run_record.exists():
        record = run.record()
        if record["task"] != task:
            raise RunFolderError(f"--out {run.path} holds a run of {record['task']}, not of {task}; name another")
        changed = differences(settings, record["settings"])
        bound = [name for name in changed if not name.startswith(_FREE) or name in _BOUND]
        if bound and not accept_changes:
            listed = "; ".join(f"{name} is {changed[name]}" for name in bound)
            raise RunFolderError(
                f"--out {run.path} holds a run with other settings: {listed}; give those again, name another folder, "
                "or go on with --accept-changes"
            )
    # a start that was killed leaves a hidden file at most
    elif run.path.is_dir() and any(not path.name.startswith(".") for path in run.path.iterdir()):
        raise RunFolderError(f"--out {run.path} holds files, but no run; name a folder that is new or empty")


def begin_run(run: RunFolder, task: str, preset: str, settings: Mapping[str, Setting]) -> None:
    """Begin or resume a run that `require_same_run` let pass; an unfinished checkpoint is removed.

    One process calls it, after all have called `require_same_run`.

    Args:
        run: its folder is made where it is missing.
        task: such as `vae`.
        preset: such as `recommended`.
        settings: all of them.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    for leftover in run.path.glob("step_*.tmp"):
        shutil.rmtree(leftover)
    changed: dict[str, str] = {}
    history: list[dict[str, object]] = []
    if run.run_record.exists():
        record = run.record()
        changed, history = differences(settings, record["settings"]), record["history"]
    if changed or not history:
        newest = run.newest()
        history.append({"from": newest.name if newest else None, "changed": changed})
        content = {
            "format": FORMAT,
            "task": task,
            "preset": preset,
            "software": version(DISTRIBUTION),
            "settings": settings,
            "history": history,
        }
        write_json_atomic(run.run_record, content)
