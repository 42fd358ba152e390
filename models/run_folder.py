"""Layout of a training run's folder, and how it is read."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from foundation.errors import UsageError
from foundation.packages import DISTRIBUTION
from foundation.settings import Setting, differences
from foundation.storage.atomic import write_text

__all__ = ["RunFolder", "RunFolderError"]

FORMAT = "gaia-run-1"

_FREE = "train."
"""Settings that a resumed run may change: how long, how laid out, how often."""

_BOUND = ("train.seed", "train.batch")
"""But not these: the order and the draws of samples follow from them."""


class RunFolderError(UsageError):
    """The folder holds another run, or none; the message says what differs and how to go on."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of a run are."""

    path: Path

    @property
    def metrics(self) -> Path:
        """JSON lines."""
        return self.path / "metrics.jsonl"

    @property
    def pictures(self) -> Path:
        """Folder."""
        return self.path / "pictures"

    @property
    def contact_sheet(self) -> Path:
        """PNG."""
        return self.path / "contact_sheet.png"

    def checkpoint(self, step: int) -> Path:
        """Return where the checkpoint after `step` steps is."""
        return self.path / f"step_{step:08d}"

    def checkpoints(self) -> dict[int, Path]:
        """Return the checkpoints by the number of steps done, oldest first."""
        found = {}
        for folder in sorted(self.path.glob("step_*")):
            number = folder.name.removeprefix("step_")
            if number.isdecimal() and folder.is_dir():
                found[int(number)] = folder
        return found

    def newest(self) -> Path | None:
        """Return the checkpoint that `latest` names; None where there is none yet.

        Raises:
            RunFolderError: it names one that is not there.
        """
        pointer = self.path / "latest"
        if not pointer.exists():
            return None
        folder = self.path / pointer.read_text(encoding="utf-8").strip()
        if not (folder / "state.json").is_file():
            raise RunFolderError(
                f"{pointer} names {folder.name}, which is no checkpoint; write the name of another one of "
                f"{', '.join(path.name for path in self.checkpoints().values()) or 'none'} there, or take another --run"
            )
        return folder

    def weights(self, which: str = "ema") -> Path:
        """Return the weights file of the newest checkpoint, `ema` or `raw`.

        Raises:
            RunFolderError: there is no checkpoint.
        """
        newest = self.newest()
        if newest is None:
            what = "has no checkpoint yet" if self.path.is_dir() else "is no folder"
            raise RunFolderError(f"{self.path} {what}; give a folder that `gaia-train` wrote with --run")
        return newest / "export" / f"{which}.safetensors"

    def record(self) -> dict[str, Any]:
        """Return what `run.json` says.

        Raises:
            RunFolderError: there is none, or it is damaged.
        """
        path = self.path / "run.json"
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{path} cannot be read: {error}; give a folder that `gaia-train` wrote") from error
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise RunFolderError(f"{path} is not of format {FORMAT}; give a folder that this version wrote")
        return said

    def check(self, task: str, settings: Mapping[str, Setting], *, accept_changes: bool) -> None:
        """Return where a run may begin here, or the one here is this one; nothing is written.

        Args:
            task: such as `vae`.
            settings: all of them.
            accept_changes: whether a run may go on with other settings.

        Raises:
            RunFolderError: here is another task's run, one with other settings, or something else.
        """
        if (self.path / "run.json").exists():
            said = self.record()
            if said["task"] != task:
                raise RunFolderError(f"--run {self.path} holds a run of {said['task']}, not of {task}; name another")
            self._refuse(differences(settings, said["settings"]), accept_changes=accept_changes)
        # a start that was killed leaves a hidden file at most
        elif self.path.is_dir() and any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise RunFolderError(f"--run {self.path} holds files, but no run; name a folder that is new or empty")

    def begin(self, task: str, preset: str, settings: Mapping[str, Setting]) -> None:
        """Begin a run that was checked, or go on with it; leftovers of a checkpoint cut short are removed.

        One process calls it, when all have called `check`.

        Args:
            task: such as `vae`.
            preset: such as `recommended`.
            settings: all of them.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob("step_*.tmp"):
            shutil.rmtree(leftover)
        changed: dict[str, str] = {}
        history: list[dict[str, object]] = []
        if (self.path / "run.json").exists():
            said = self.record()
            changed, history = differences(settings, said["settings"]), said["history"]
        if changed or not history:
            newest = self.newest()
            history.append({"from": newest.name if newest else None, "changed": changed})
            text = {
                "format": FORMAT,
                "task": task,
                "preset": preset,
                "software": version(DISTRIBUTION),
                "settings": settings,
                "history": history,
            }
            write_text(self.path / "run.json", json.dumps(text, indent=2) + "\n")

    def _refuse(self, changed: Mapping[str, str], *, accept_changes: bool) -> None:
        bound = [name for name in changed if not name.startswith(_FREE) or name in _BOUND]
        if bound and not accept_changes:
            listed = "; ".join(f"{name} is {changed[name]}" for name in bound)
            raise RunFolderError(
                f"--run {self.path} holds a run with other settings: {listed}; give those again, name another folder, "
                "or go on with --accept-changes"
            )
