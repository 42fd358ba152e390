"""What a dataset states about its own files: checked as a whole before a command changes any of them.

A dataset may come from a stranger. Its journal, its ledger and the footers of its files say what is to be renamed,
replaced and removed, so each of these values is checked first, and a command ends before its first change if one of
them cannot be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from foundation.storage.arrow import open_parquet
from foundation.storage.locations import is_remote, read_all
from foundation.storage.regular_files import FileTooLargeError
from manifests.errors import DatasetError, first_problem
from manifests.files.cells import bad_cells, checked_columns, word_columns
from manifests.files.journal import JOURNAL, SwapError, pending_swap
from manifests.files.names import FOLDERS, PathText, UnsafeValueError, VideoId, files_of, folder_in, video_id
from manifests.files.tables import read_each_file
from manifests.packing.packed_files import table_inventory
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS, VIDEOS

__all__ = [
    "RECORD_BYTES",
    "Refusal",
    "refused_cells",
    "refused_files",
    "refused_footers",
    "refused_latents",
    "require_own_files",
]

RECORD_BYTES = 16 << 20
"""Most that a record of the ledger can have: some hundred bytes, and the stretches that annotations name."""

_LATENTS = "latents"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A value that a dataset states, and that none of its own can be."""

    file: str
    """File or folder, relative to the dataset."""
    what: str


class _LedgerRecord(BaseModel):
    """The values of a record of the ledger that name files."""

    video_id: VideoId
    path: PathText


def require_own_files(dataset: Path) -> None:
    """Refuse a dataset that states what cannot be, or whose files are not its own.

    Raises:
        DatasetError: a name, an id or a number cannot be one of a dataset; a file or folder is a link, a named pipe, a
            socket or a device; or a file cannot be read. The message names the first.
        OSError: a folder cannot be listed.
    """
    for refusals in (refused_files(dataset), refused_footers(dataset), refused_cells(dataset, (VIDEOS, SPANS, CLIPS))):
        for refusal in refusals:
            raise DatasetError(f"{dataset}/{refusal.file}: {refusal.what}; nothing was changed")
    for table in (VIDEOS, SPANS, CLIPS):
        read_each_file(dataset, table.name, word_columns(table))  # refuses unknown words, of which names are made


def refused_files(dataset: Path) -> Iterator[Refusal]:
    """Yield folders and files that are not the dataset's own, and what is wrong in its journal and its ledger.

    Raises:
        OSError: a folder cannot be listed.
    """
    in_folders = [*_folders(dataset)]
    yield from in_folders
    try:
        swap = pending_swap(dataset)
        if swap is not None and not in_folders:
            swap.require_inside(dataset)
    except (SwapError, UnsafeValueError) as error:
        yield Refusal(file=JOURNAL, what=str(error))
    if not in_folders:
        yield from _ledger(dataset)


def refused_footers(dataset: Path) -> Iterator[Refusal]:
    """Yield the files of `frames`, `spans` and `clips` that name videos or tars that cannot be.

    Raises:
        DatasetError: files are being replaced, and the journal is damaged.
    """
    for table in (FRAMES, SPANS, CLIPS):
        try:
            table_inventory(dataset, table)
        except DatasetError as error:
            yield Refusal(file=table.name, what=str(error))


def refused_cells(dataset: Path, tables: Sequence[Table]) -> Iterator[Refusal]:
    """Yield what is wrong in those columns of tables that name files, place them, or count.

    Raises:
        DatasetError: a file is damaged or has another schema.
    """
    for table in tables:
        for path, rows in read_each_file(dataset, table.name, checked_columns(table)):
            yield from (Refusal(file=f"{table.name}/{path.name}", what=what) for what in bad_cells(table, rows))


def refused_latents(dataset: Path) -> Iterator[Refusal]:
    """Yield files of latents that cannot be read, or whose rows are about no clip that could be.

    Raises:
        OSError: a folder cannot be listed.
    """
    schema = pa.schema([CLIPS.arrow_schema().field("clip_id")])
    place = folder_in(dataset, _LATENTS)
    names = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.exists() else []
    for folder in (f"{_LATENTS}/{name}" for name in names if not name.startswith(".")):
        for path in files_of(dataset, folder, ".parquet"):
            try:
                with open_parquet(path) as file:
                    wrong = list(bad_cells(CLIPS, file.read(schema.names).cast(schema)))
            except (pa.ArrowException, KeyError, ValueError, OSError) as error:
                wrong = [f"it cannot be read: {error}"]
            yield from (Refusal(file=f"{folder}/{path.name}", what=what) for what in wrong)


def _folders(dataset: Path) -> Iterator[Refusal]:
    """Yield folders that are links, and files that are links or no regular files; a store has neither."""
    if is_remote(dataset):
        return
    latents = []
    try:
        place = folder_in(dataset, _LATENTS)
        latents = sorted(f"{_LATENTS}/{path.name}" for path in place.iterdir()) if place.exists() else []
    except UnsafeValueError as error:
        yield Refusal(file=_LATENTS, what=str(error))
    for folder in (*FOLDERS, *latents):
        if folder.rpartition("/")[2].startswith("."):
            continue
        try:
            files_of(dataset, folder, "")
        except UnsafeValueError as error:
            yield Refusal(file=folder, what=str(error))


def _ledger(dataset: Path) -> Iterator[Refusal]:
    paths = files_of(dataset, "ledger", ".json")
    try:
        for path, content in zip(paths, read_all(paths, RECORD_BYTES), strict=True):
            try:
                named = _LedgerRecord.model_validate_json(content).video_id
                if named != video_id(path.stem):
                    yield Refusal(file=f"ledger/{path.name}", what=f"it is about another video, {named}")
            except ValidationError as error:
                what = f"{first_problem(error)}; remove it to curate that video again"
                yield Refusal(file=f"ledger/{path.name}", what=what)
            except UnsafeValueError as error:
                yield Refusal(file="ledger", what=f"{error}; remove the file of that name")
    except FileTooLargeError as error:
        yield Refusal(file="ledger", what=str(error))
