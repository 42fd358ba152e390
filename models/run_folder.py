"""Layout of the folder of a training run, which training writes and generation reads.

RUN/run.json                what is trained, with which settings; what was changed when
RUN/dataset.json            record of the dataset: how faces and speech are prepared for the network
RUN/vae.safetensors         of a diffusion run: the VAE of its latents, with their statistics
RUN/metrics.jsonl           a line per `train.log_every` steps
RUN/tensorboard/            the same and preview images, for TensorBoard
RUN/pictures/NAME/step_N.png
RUN/contact_sheet.png       the preview images, early ones above late ones
RUN/step_N/                 a checkpoint: N steps were done
    dcp/                    all tensors of the run, split as the ranks held them
    state.json              step, epoch and position in it
    export/ema.safetensors  the averaged network, and raw.safetensors as it is; see `models.weights`
RUN/latest                  name of the newest checkpoint
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.errors import UsageError

__all__ = ["FORMAT", "RunFolder", "RunFolderError"]

FORMAT = "gaia-run-1"


class RunFolderError(UsageError):
    """The folder holds another run, or none; the message says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files of a run and their content."""

    path: Path

    @property
    def run_record(self) -> Path:
        """JSON: task, preset, settings and their changes."""
        return self.path / "run.json"

    @property
    def dataset_record(self) -> Path:
        """JSON: `dataset.json` of the dataset that the run learns from."""
        return self.path / "dataset.json"

    @property
    def vae(self) -> Path:
        """Weights of the VAE that a diffusion run decodes with; a run of the VAE alone has no such file."""
        return self.path / "vae.safetensors"

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
        if not self.pointer.exists():
            return None
        folder = self._named()
        if not (folder / "state.json").is_file():
            raise RunFolderError(
                f"{self.pointer} names {folder.name}, which is no checkpoint; write the name of another one of "
                f"{', '.join(path.name for path in self.checkpoints().values()) or 'none'} there, or take another --out"
            )
        return folder

    def weights(self, which: str = "ema") -> Path:
        """Return the weights file of the newest checkpoint, `ema` or `raw`; nothing else has to be there.

        Raises:
            RunFolderError: there is no checkpoint, or it lacks the file.
        """
        if not self.pointer.exists():
            what = "has no checkpoint yet" if self.path.is_dir() else "is no folder"
            raise RunFolderError(f"{self.path} {what}; give a folder that `gaia-train` wrote with --out")
        folder = self._named()
        file = folder / "export" / f"{which}.safetensors"
        if not file.is_file():
            raise RunFolderError(
                f"{self.pointer} names {folder.name}, which has no {file.relative_to(folder)}; write the name of "
                "another checkpoint there, or give another folder that `gaia-train` wrote with --out"
            )
        return file

    def label(self) -> str:
        """Return folder and checkpoint that `weights` are of, such as `motion/step_00200000`.

        Raises:
            RunFolderError: there is no checkpoint.
        """
        return f"{self.path.name}/{self.weights().parent.parent.name}"

    def record(self) -> dict[str, Any]:
        """Return the content of `run.json`.

        Raises:
            RunFolderError: there is none, or it is damaged.
        """
        try:
            content = json.loads(self.run_record.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunFolderError(
                f"{self.run_record} cannot be read: {error}; give a folder that `gaia-train` wrote"
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise RunFolderError(f"{self.run_record} is not of format {FORMAT}; give a folder that this version wrote")
        return content

    def _named(self) -> Path:
        return self.path / self.pointer.read_text(encoding="utf-8").strip()
