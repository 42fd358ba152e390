"""Layout of the folder of a training run, which training writes and generation reads.

RUN/run.json                what is trained, with which settings, on which clips; what was changed when
RUN/clips.jsonl             the clips that it learns from
RUN/dataset.json            record of the dataset: how faces and speech are prepared for the network
RUN/vae.safetensors         of a diffusion run: the VAE of its latents, with their statistics
RUN/vae_clips.jsonl         of a diffusion run: the clips that its VAE learned from
RUN/metrics.jsonl           a line per `train.log_every` steps
RUN/tensorboard/            the same and preview images, for TensorBoard
RUN/pictures/NAME/step_N.png
RUN/contact_sheet.png       the preview images, early ones above late ones
RUN/step_N/                 a checkpoint: N steps were done
    shards/                 all tensors of the run, split as the ranks held them; see `training.shards`
    state.json              step, epoch and position in it
    export/ema.safetensors  the averaged network, and raw.safetensors as it is; see `models.weights`
RUN/latest                  name of the newest checkpoint
RUN/best/step_N/            the network that was best on people held out: export/ema.safetensors, and how good it was,
                            validation.json; its name is in RUN/best/latest

A run folder may come from somebody else. Each of its files is opened as data, is a regular file, and lies in the
folder: links are not followed, and a name that does not have its form is refused.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from foundation.errors import UsageError
from foundation.storage.regular_files import kind_of, read_small
from models.run_record import FORMAT, RunRecord

__all__ = ["RunFolder", "RunFolderError", "step_of"]

_STEP = re.compile(r"step_[0-9]{8,15}")

_BEST = "best"

_MAX_JSON_BYTES = 2**26


class RunFolderError(UsageError):
    """The folder holds another run, or none; the message says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files of a run and their content."""

    path: Path
    chosen: str | None = None
    """Checkpoint whose weights are read, `best` or a name `step_N`; None: the newest."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the run that a user names by its folder, or by one of its checkpoints: RUN/best or RUN/step_N."""
        if (path.name == _BEST or step_of(path.name) is not None) and (path.parent / "run.json").is_file():
            return cls(path.parent, path.name)
        return cls(path)

    @property
    def best(self) -> Path:
        """Folder: the best network."""
        return self.path / _BEST

    @property
    def run_record(self) -> Path:
        """JSON: task, preset, settings and their changes."""
        return self.path / "run.json"

    @property
    def clips(self) -> Path:
        """JSON lines: the clips that the run learns from, sorted."""
        return self.path / "clips.jsonl"

    @property
    def dataset_record(self) -> Path:
        """JSON: `dataset.json` of the dataset that the run learns from."""
        return self.path / "dataset.json"

    @property
    def vae(self) -> Path:
        """Weights of the VAE that a diffusion run decodes with; a run of the VAE alone has no such file."""
        return self.path / "vae.safetensors"

    @property
    def vae_clips(self) -> Path:
        """JSON lines: the clips that the VAE of a diffusion run learned from; runs of earlier versions lack it."""
        return self.path / "vae_clips.jsonl"

    @property
    def metrics(self) -> Path:
        """JSON lines."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder."""
        return self.path / "tensorboard"

    @property
    def previews(self) -> Path:
        """Folder."""
        return self.path / "pictures"

    @property
    def contact_sheet(self) -> Path:
        """PNG."""
        return self.path / "contact_sheet.png"

    @property
    def pointer(self) -> Path:
        """Text: the name of the newest checkpoint."""
        return self.path / "latest"

    def checkpoint(self, step: int) -> Path:
        """Return where the checkpoint after `step` steps is."""
        return self.path / f"step_{step:08d}"

    def checkpoints(self) -> dict[int, Path]:
        """Return the checkpoints by the number of steps done, oldest first; links and other names are none."""
        found = {}
        for entry in os.scandir(self.path) if self.path.is_dir() else ():
            step = step_of(entry.name)
            if step is not None and entry.is_dir(follow_symlinks=False):
                found[step] = self.path / entry.name
        return dict(sorted(found.items()))

    def newest(self) -> Path | None:
        """Return the checkpoint that `latest` names; None where there is none yet.

        Raises:
            RunFolderError: it names one that is not there, or is no name of a checkpoint.
        """
        folder = self.named()
        if folder is not None and not (folder.is_dir() and (folder / "state.json").is_file()):
            raise RunFolderError(
                f"{self.pointer} names {folder.name}, which is no checkpoint; write the name of another one of "
                f"{', '.join(path.name for path in self.checkpoints().values()) or 'none'} there, or take another --out"
            )
        return folder

    def named(self) -> Path | None:
        """Return where the checkpoint that `latest` names would be; None where there is no `latest`.

        Raises:
            RunFolderError: `latest` does not hold the name of a checkpoint.
        """
        if not os.path.lexists(self.pointer):
            return None
        name = self.text(self.pointer, 4096).strip()
        if step_of(name) is None:
            raise RunFolderError(
                f"{self.pointer} holds {name[:80]!r}, which is no name of a checkpoint; write one of "
                f"{', '.join(path.name for path in self.checkpoints().values()) or 'none'} there, or take another --out"
            )
        return self.path / name

    def weights(self, which: str = "ema") -> Path:
        """Return the weights file of the chosen checkpoint, `ema` or `raw`; nothing else has to be there.

        Raises:
            RunFolderError: there is no checkpoint, or it lacks the file, or the file is a link or no regular file.
        """
        run, name = (RunFolder(self.best), None) if self.chosen == _BEST else (self, self.chosen)
        folder = run.named() if name is None else self.path / name
        if folder is None:
            what = "has no checkpoint yet" if run.path.is_dir() else "is no folder"
            raise RunFolderError(f"{run.path} {what}; give a folder that `gaia-train` wrote with --out")
        file = folder / "export" / f"{which}.safetensors"
        if not self.holds(file):
            what = f"{folder.name}, which has no {file.relative_to(folder)}"
            raise RunFolderError(
                f"{run.pointer} names {what}; write the name of another checkpoint there, or give another folder that "
                "`gaia-train` wrote with --out"
                if name is None
                else f"{self.path} has {what}; give another checkpoint, or the run folder itself"
            )
        return file

    def label(self) -> str:
        """Return folder and checkpoint that `weights` are of, such as `motion/step_00200000`.

        Raises:
            RunFolderError: there is no checkpoint.
        """
        return f"{self.path.name}/{self.weights().parent.parent.name}"

    def record(self) -> RunRecord:
        """Return the content of `run.json`.

        Raises:
            RunFolderError: there is none, or it is damaged.
        """
        try:
            text = self.text(self.run_record, _MAX_JSON_BYTES)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; give a folder that `gaia-train` wrote") from error
        try:
            return RunRecord.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "its text"
            raise RunFolderError(
                f"{self.run_record} is no record of a run, of format {FORMAT}: {where[:80]!r}: {first['msg']}; give a "
                "folder that this version wrote"
            ) from error

    def json(self, path: Path) -> object:
        """Return the content of a JSON file of the folder.

        Raises:
            RunFolderError: it is no regular file of the folder, or no JSON.
        """
        text = self.text(path, _MAX_JSON_BYTES)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RunFolderError(f"{path} is no JSON: {error}") from error

    def text(self, path: Path, max_bytes: int) -> str:
        """Return the content of a text file of the folder.

        Raises:
            RunFolderError: it is no regular file of the folder, is longer than `max_bytes`, or no text.
        """
        try:
            self.require_own(path)
            return read_small(path, max_bytes, follow_links=False).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{path} cannot be read: {error}") from error

    def holds(self, path: Path) -> bool:
        """Return whether a file of the folder is there.

        Raises:
            RunFolderError: something else than a file is there, or a part of the name is a link.
        """
        if not os.path.lexists(path):
            return False
        self.require_own(path)
        return True

    def require_own(self, path: Path) -> None:
        """Refuse a file that may lie outside of the folder, or that is none.

        Raises:
            RunFolderError: it is no regular file, or a part of its name below the folder is a link.
            OSError: it is not there.
        """
        *folders, _ = [below for below in (*reversed(path.parents), path) if below.is_relative_to(self.path)][1:]
        for folder in folders:
            if not stat.S_ISDIR(mode := folder.lstat().st_mode):
                raise _not_plain(folder, mode)
        if not stat.S_ISREG(mode := path.lstat().st_mode):
            raise _not_plain(path, mode)

    def require_plain(self) -> None:
        """Refuse a folder that holds something else than files and folders, before anything in it is changed.

        Raises:
            RunFolderError: with the name of the first link, named pipe, socket or device.
        """
        for path, mode in _tree(self.path):
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _not_plain(path, mode)


def _not_plain(path: Path, mode: int) -> RunFolderError:
    return RunFolderError(
        f"{path} is {kind_of(mode)}; a run folder holds nothing but files and folders, and no link is followed out of "
        "it: remove it, or put the file itself there"
    )


def step_of(name: str) -> int | None:
    """Return the number of a checkpoint's name; None: it is no such name.

    >>> step_of("step_00000010"), step_of("step_10"), step_of("../step_00000010"), step_of("step_000000010")
    (10, None, None, None)
    """
    if not _STEP.fullmatch(name):
        return None
    step = int(name.removeprefix("step_"))
    return step if name == f"step_{step:08d}" else None


def _tree(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield all that is below a folder with its `st_mode`, without following a link."""
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        yield path, mode
        if stat.S_ISDIR(mode):
            yield from _tree(path)
