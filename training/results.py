"""Results of the library functions: what a run has reached, where its files are, what was measured."""

import signal
from dataclasses import dataclass
from pathlib import Path

from foundation.text import count_text, shown
from models.run_folder import RunFolder

__all__ = ["LatentsResult", "TextsResult", "TrainingResult"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResult:
    """Result of `train_vae`, `train_diffusion` or `train_experiment`; its `str` is a report for people."""

    run: Path
    """Folder of the run."""
    steps_done: int
    """Optimiser steps, those of earlier calls included; 0 after a dry run."""
    steps: int
    """Of the whole run."""
    steps_skipped: int = 0
    """Steps among these that changed nothing, because gradients were not finite."""
    stopped_by: signal.Signals | None = None
    """SIGINT or SIGTERM, which ended the run early, after a checkpoint; None: the run was not stopped."""
    notes: tuple[str, ...] = ()
    """Unusual facts about the run, a sentence each."""
    report: tuple[str, ...] = ()
    """Lines of text: of a finished run what was measured, of a dry run what the run would take."""
    dry_run: bool = False
    """Whether nothing was trained and nothing written."""
    rank: int = 0
    """Number of this process among those of the run; the first, 0, has the report."""

    @property
    def weights(self) -> Path:
        """File of the averaged network in the newest checkpoint.

        Raises:
            RunFolderError: there is no checkpoint.
        """
        return RunFolder(self.run).weights()

    def __str__(self) -> str:
        """Return the report: notes, how many steps are done, and the lines of `report`."""
        skipped = f", {self.steps_skipped} of them skipped: gradients were not finite" if self.steps_skipped else ""
        done = [] if self.dry_run else [f"{self.run}: {self.steps_done} of {self.steps} steps are done{skipped}"]
        return "\n".join([*(shown(f"note: {note}") for note in self.notes), *done, *self.report])

    def __repr__(self) -> str:
        return _indented("TrainingResult", str(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentsResult:
    """Result of `encode_latents`; its `str` is a report for people."""

    dataset: str
    """Folder or address."""
    folder: Path | None
    """Of the latents; None where other processes still encode their share."""
    clips: int = 0
    """Clips that have latents now."""
    frames: int = 0
    """Frames of these clips."""
    damaged: int = 0
    """Clips that could not be read and have no latents."""
    notes: tuple[str, ...] = ()
    """Sentences on clips that were left out."""

    def __str__(self) -> str:
        """Return the report."""
        if self.folder is None:
            return "this process is done; others still encode"
        lines = [f"latents: {self.folder}", f"{self.clips} clips, {self.frames} frames", *self.notes]
        if self.damaged:
            lines.append(
                f"damaged clips, without latents: {self.damaged}; `gaia-curate validate {self.dataset}` lists them"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return _indented("LatentsResult", str(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class TextsResult:
    """Result of `encode_texts`; its `str` is a report for people."""

    dataset: str
    """Folder or address."""
    encoder: str | None
    """Name and hash of the text encoder; None where another process encodes."""
    clips: int = 0
    """Clips with an instruction."""
    texts: int = 0
    """Different instructions."""
    encoded: int = 0
    """Instructions among these that had no states before."""

    def __str__(self) -> str:
        """Return the report."""
        if self.encoder is None:
            return "this process is done; another one encodes"
        clips = count_text(self.clips, "clip has one", "clips have one")
        return (
            f"text states: {self.dataset}, by {self.encoder}\n"
            f"{count_text(self.texts, 'instruction')}, {self.encoded:,} encoded now; {clips}"
        )

    def __repr__(self) -> str:
        return _indented("TextsResult", str(self))


def _indented(name: str, text: str) -> str:
    """Return a heading and the lines of `text` below it, as a notebook shows an object."""
    return "\n  ".join([f"{name}:", *text.splitlines()])
