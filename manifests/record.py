"""`dataset.json`: settings and weights of a dataset, meaning of its columns, and totals of its content."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.storage.atomic import write_json_atomic
from foundation.storage.locations import StorageError, store_errors
from foundation.storage.regular_files import read_small
from manifests.errors import DatasetError, first_problem
from manifests.files.names import Sha256, folder_in
from manifests.files.numbers import Count
from manifests.removals import Removals
from manifests.rule_record import MOST_RULES, FiniteJson, RuleRecord
from manifests.schema.columns import SCHEMA_VERSION
from manifests.schema.tables import TABLES, type_name
from manifests.totals import Totals
from manifests.vocabulary import OUTCOMES

__all__ = [
    "ColumnRecord",
    "DatasetRecord",
    "ExclusionList",
    "HistoryStep",
    "SourceLayout",
    "TableRecord",
    "WeightRecord",
    "commit_dataset",
    "describe_tables",
    "draft_dataset",
    "find_dataset",
    "read_dataset",
    "write_dataset",
]

_FILE = "dataset.json"

_DRAFT = "ledger/dataset.json.draft"
"""The record of a dataset that a command is changing, until `commit_dataset` writes it as dataset.json. A command that
is stopped leaves it as the newest record: it says with which settings a dataset was begun."""

_RECORD_BYTES = 64 << 20
"""Most that a record can have: the digests of a million removed videos."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WeightRecord(_Record):
    """A weight file that the run used."""

    name: str
    """Of the asset; of a file inside a package, package, version and file name; of the user's own, as it was set."""
    role: Literal["perception", "speech"]
    """Whether it measured the evidence or processed the audio of the clips."""
    sha256: Sha256
    licence: str
    commercial_use: bool | None
    """Whether that licence allows commercial use; None where it is not known, as for the user's own file."""


class ColumnRecord(_Record):
    """One column, as `manifests.schema.tables` declares it."""

    name: str
    type: str
    shape: str
    unit: str
    meaning: str
    nullable: bool


class TableRecord(_Record):
    """One table, as `manifests.schema.tables` declares it."""

    meaning: str
    columns: tuple[ColumnRecord, ...]


class ExclusionList(_Record):
    """A list of people or videos that a run left out. The entries are not kept."""

    option: str
    """The option that it was given with."""
    sha256: Sha256
    """Of the file."""
    entries: Count
    """Number of its entries."""


class SourceLayout(_Record):
    """Layout of a source folder. The folder's name, which may contain a person's, is not kept."""

    folder_sha256: Sha256
    """Of its absolute path or address."""
    layout: str
    """A name of the option --layout other than auto."""


class HistoryStep(_Record):
    """A command that made a dataset of others, or divided it anew."""

    command: Literal["merge", "subset", "split"]
    software_version: str
    origins: tuple[Sha256, ...] = ()
    """Of the dataset.json of each dataset that it was made of."""
    where: str | None = None
    """Condition of `gaia-curate subset`; null for others, and where it named somebody who was removed since."""


class DatasetRecord(_Record):
    """The content of dataset.json."""

    schema_version: int
    software: str
    """Name of the distribution that wrote the dataset."""
    software_version: str
    preset: str
    config: FiniteJson
    """All settings of the run, defaults included."""
    weights: tuple[WeightRecord, ...]
    tables: dict[str, TableRecord]
    totals: Totals
    rules: Annotated[tuple[RuleRecord, ...], Field(max_length=MOST_RULES)] = ()
    """All rules in the order in which they were applied; empty in a dataset that an older version wrote."""
    exclusions: tuple[ExclusionList, ...] = ()
    """All lists of all runs, in the order of the runs."""
    layouts: tuple[SourceLayout, ...] = ()
    """Layout of each source folder of all runs, in the order of the runs."""
    removals: Removals | None = None
    """Removals on request; None: there were none."""
    history: tuple[HistoryStep, ...] = ()
    """How the dataset was made of others, and divided; empty, and not written, for one that `run` or `decide` made."""

    def content(self) -> dict[str, Any]:
        """Return what dataset.json says: without what no dataset of an earlier version has, where it is empty."""
        left_out: dict[str, Any] = {} if self.history else {"history": True}
        if self.removals is not None and not self.removals.also:
            left_out["removals"] = {"also": True}
        return self.model_dump(mode="json", exclude=left_out)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Words that may stand in `spans.outcome`: the vocabulary and the user's own rules."""
        return (*OUTCOMES, *(rule.name for rule in self.rules if rule.own))

    def rule(self, name: str) -> RuleRecord | None:
        """Return the description of a rule; None where there is none."""
        return next((rule for rule in self.rules if rule.name == name), None)


def describe_tables() -> dict[str, TableRecord]:
    """Return the tables as they are declared, for `DatasetRecord.tables`."""
    return {
        table.name: TableRecord(
            meaning=table.meaning,
            columns=tuple(
                ColumnRecord(
                    name=c.name, type=type_name(c), shape=c.shape, unit=c.unit, meaning=c.meaning, nullable=c.nullable
                )
                for c in table.columns
            ),
        )
        for table in TABLES.values()
    }


def find_dataset(folder: Path, *, drafts: bool = True) -> DatasetRecord | None:
    """Return the record of a dataset, or None: the draft of a command that has not ended, otherwise dataset.json.

    Args:
        folder: of the dataset.
        drafts: False: dataset.json in any case.

    Raises:
        DatasetError: the record is damaged, or of another schema version, or no regular file of its own.
        StorageError: its store cannot be reached.
    """
    folder_in(folder, _DRAFT.partition("/")[0])
    try:
        with store_errors(folder):
            stored = _stored(folder, (_DRAFT, _FILE) if drafts else (_FILE,))
    except StorageError:
        raise
    except OSError as error:
        raise DatasetError(f"the record of {folder} cannot be read: {error}") from error
    return None if stored is None else _parsed(*stored)


def _stored(folder: Path, names: Sequence[str]) -> tuple[Path, bytes] | None:
    for path in (folder / name for name in names):
        try:
            return path, read_small(path, _RECORD_BYTES, follow_links=False)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None


def read_dataset(dataset: Path) -> DatasetRecord:
    """Return the record of a dataset, as `find_dataset` does.

    Raises:
        DatasetError: the folder is no dataset, its record is damaged, or of another schema version.
        StorageError: its store cannot be reached.
    """
    record = find_dataset(dataset)
    if record is None:
        raise DatasetError(
            f"{dataset} is no dataset: it holds no {_FILE}; give the folder that `gaia-curate run --out` wrote"
        )
    return record


def write_dataset(dataset: Path, record: DatasetRecord) -> None:
    """Write dataset.json; the same record gives the same bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    _write(dataset / _FILE, record)


def draft_dataset(dataset: Path, record: DatasetRecord) -> None:
    """Write the draft of a record, which readers take for the record from now on.

    Raises:
        OSError: the folder cannot be written.
    """
    _write(dataset / _DRAFT, record)


def commit_dataset(dataset: Path, record: DatasetRecord) -> None:
    """Write dataset.json and remove the draft.

    Raises:
        OSError: the folder cannot be written; the draft remains.
    """
    _write(dataset / _FILE, record)
    (dataset / _DRAFT).unlink(missing_ok=True)


def _write(path: Path, record: DatasetRecord) -> None:
    write_json_atomic(path, record.content())


def _parsed(path: Path, text: bytes) -> DatasetRecord:
    try:
        written = _Version.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(path, error) from error
    if written.schema_version != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {written.schema_version}, this version of the software reads {SCHEMA_VERSION}; "
            f"go on with the version that wrote it, {written.software_version}, or run the curation into a new folder"
        )
    try:
        return DatasetRecord.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: ValidationError) -> DatasetError:
    return DatasetError(f"{path} is damaged: {first_problem(error)}; run the curation again to write it anew")


class _Version(BaseModel):
    schema_version: int
    software_version: str = "which it does not name"
