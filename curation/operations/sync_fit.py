"""Teaching the comparison of lips and sound on a dataset: `gaia-curate sync fit`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from curation.operations.spoken_stretches import gather_stretches
from curation.output.folder import DatasetFolder
from curation.sources.scratch import ScratchSettings
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import location
from foundation.text import count_text
from foundation.weights import ensure_assets

__all__ = ["DEFAULT_FILE", "SyncFit", "SyncFitError", "fit_sync"]

DEFAULT_FILE = "sync.safetensors"
"""Name of the file that is written, in the current folder."""

Progress = Callable[[str, int, int], None]
"""Is told what is done, how much of it, of how much."""


class SyncFitError(UsageError):
    """A dataset has too little to learn from, or what it has does not fit together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncFit:
    """What was learnt."""

    file: Path
    """The network; `perception.sync` takes it."""
    n_files: int
    """Videos with stretches to learn from."""
    n_stretches: int
    n_kept: int
    """Stretches that were taught on: in the others lips and sound do not agree."""
    share_in_sync: float
    """Share of the files whose lips and sound are in sync by a network that has not seen them."""
    left_out: tuple[str, ...]
    """Videos whose source could not be read, each with the reason."""

    def text(self) -> str:
        """Return the lines that the command prints."""
        taught = f"{self.n_kept} of {self.n_stretches} stretches of {count_text(self.n_files, 'file')}"
        lines = [
            f"{self.file}: taught on {taught}",
            f"in sync by cross-validation: {self.share_in_sync:.0%} of the files",
            f"use it with --set perception.sync={self.file}",
        ]
        return "\n".join([*lines, *(f"left out: {line}" for line in self.left_out)])


def fit_sync(
    dataset: str | Path,
    out: str | Path = DEFAULT_FILE,
    *,
    scratch: ScratchSettings | None = None,
    on_progress: Progress = lambda _what, _done, _all: None,
) -> SyncFit:
    """Teach a network that compares lips with sound on a dataset, and write it into a file.

    The faces are those in the dataset's evidence, the sound is that of its sources. Shifted sound and stretches that do
    not belong together are found by ridge regression and aligned or left out.

    Args:
        dataset: made by `run` with a face finder of 478 landmarks.
        out: the file to write.
        scratch: where remote sources are copied to.
        on_progress: is told how far the work is.

    Raises:
        SyncFitError: the dataset has too little, or less than half of its files are in sync by cross-validation.
        DatasetError: it is no dataset, or is damaged.
        MissingAssetsError: the weights of Whisper tiny.en are missing.
        OSError: a file cannot be read or written.
    """
    from curation.perception.sync.fitting.fit import UnfitDataError, fit
    from curation.perception.sync.model import network_file
    from curation.speech.whisper import WhisperTinyEncoder

    folder, file = DatasetFolder.existing(dataset), location(out)
    ensure_assets([WhisperTinyEncoder.name])
    gathered = gather_stretches(
        folder,
        WhisperTinyEncoder(),
        scratch or ScratchSettings(),
        lambda done, total: on_progress("videos", done, total),
    )
    try:
        found = fit(gathered.stretches, lambda done, total: on_progress("networks", done, total))
    except UnfitDataError as error:
        raise SyncFitError(f"{folder.path}: {error}") from error
    write_bytes_atomic(file, network_file(found.network))
    return SyncFit(
        file=file,
        n_files=len(found.z_by_file),
        n_stretches=found.n_stretches,
        n_kept=found.n_kept,
        share_in_sync=found.share_in_sync,
        left_out=gathered.left_out,
    )
