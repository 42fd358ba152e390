"""Export of a dataset's clips in the format of another library."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.dataset_tools.making import record_digest
from curation.output.folder import DatasetFolder, DatasetFolderError
from curation.output.sole_writer import foreign_entries, require_outside
from foundation.storage.atomic import write_json_atomic
from foundation.storage.leases import held, is_lease_file
from foundation.storage.locations import is_remote, location
from foundation.text import count_text, shown
from manifests.packing.one_state import without_writer

__all__ = ["ExportFormat", "Exported", "export"]

ExportFormat = Literal["webdataset", "hf", "lance", "lerobot"]

_GIB = 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """The outcome of an export."""

    folder: Path
    clips: int

    def text(self) -> str:
        """Return a sentence for people."""
        return shown(
            f"{self.folder}: {count_text(self.clips, 'clip')}. `gaia-curate forget` does not reach this copy: "
            "export it anew then."
        )


def export(
    dataset: str | Path, to: ExportFormat, out: str | Path, *, shard_gib: float = 1.0, wait: bool = False
) -> Exported:
    """Write the clips of a dataset, with media and arrays, in the format of another library.

    `origin.json`, which is written last, has the settings, models and licences of the dataset. An export that ends
    with an error or by Ctrl-C leaves nothing behind; only of one that was killed there is a part, without origin.json.

    Args:
        dataset: a finished dataset; it is not changed.
        to: `webdataset`: tars per split; `hf`: Parquet with the media in it, for `datasets.load_dataset`; `lance`;
            `lerobot`: a LeRobotDataset v3 per tier.
        out: a new or empty folder.
        shard_gib: most that a tar, or a Parquet file before compression, has.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetFolderError: `out` is a file, holds files, or lies in the dataset.
        DatasetError, MediaError: `dataset` is no dataset, is damaged, or has no clips.
        MissingPackageError: the library is needed and not installed.
        ChangingDatasetError: another command writes to it.
        LeaseHeldError: another command writes to `out`, and `wait` is false.
        OSError: a file cannot be read or written.
    """
    origin, folder = location(dataset), location(out)
    require_outside(out, origin)
    _require_empty(folder)  # a folder of others gets no lease
    with held(folder, "gaia-curate export", wait=wait):
        _require_empty(folder)
        return without_writer(
            origin,
            lambda: _whole_or_nothing(folder, lambda: _exported(origin, to, folder, int(shard_gib * _GIB))),
            wait=wait,
            repeat=False,
        )


def _require_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise DatasetFolderError(f"--out {folder} is a file; give a new folder")
    names = foreign_entries(folder, frozenset())
    if names:
        remedy = "give a new folder"
        if "origin.json" not in names:
            remedy += ", or empty this one: without origin.json, an export in it is not complete"
        raise DatasetFolderError(f"--out {folder} holds files; {remedy}")


def _whole_or_nothing(folder: Path, write: Callable[[], Exported]) -> Exported:
    """Write into an empty folder, and empty it again where that fails."""
    try:
        return write()
    except BaseException:
        with suppress(OSError):
            for path in [path for path in folder.iterdir() if not is_lease_file(path.name)]:
                if not path.is_dir():
                    path.unlink()
                elif is_remote(folder):
                    for file in [file for file in path.rglob("*") if not file.is_dir()]:
                        file.unlink()
                else:
                    shutil.rmtree(path, ignore_errors=True)
        raise


def _exported(dataset: Path, to: ExportFormat, folder: Path, shard_bytes: int) -> Exported:
    record = DatasetFolder.existing(dataset).record
    if not record.totals.clips:
        raise DatasetFolderError(f"{dataset} has no clips; there is nothing to export")
    if to == "webdataset":
        from curation.dataset_tools.export_webdataset import export_webdataset

        n_clips = export_webdataset(dataset, folder, shard_bytes)
    elif to == "lerobot":
        from curation.dataset_tools.export_lerobot import export_lerobot

        n_clips = export_lerobot(dataset, folder, shard_bytes)
    else:
        from curation.dataset_tools.export_parquet import export_hugging_face, export_lance

        n_clips = export_lance(dataset, folder) if to == "lance" else export_hugging_face(dataset, folder, shard_bytes)
    private = ("removals", "exclusions", "layouts")
    content = {name: value for name, value in record.content().items() if name not in private}
    write_json_atomic(folder / "origin.json", {"dataset_sha256": record_digest(dataset), **content})
    return Exported(folder=folder, clips=n_clips)
