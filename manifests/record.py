"""`dataset.json`: what a dataset was made with, what its columns mean, and what is in it."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from foundation.storage.atomic import write_json_atomic
from foundation.storage.locations import StorageError, reaching
from manifests.errors import DatasetError
from manifests.files.tables import read_table
from manifests.schema.columns import SCHEMA_VERSION
from manifests.schema.tables import TABLES, type_name
from manifests.vocabulary import FAILED_STATUSES, OUTCOMES, TIERS

__all__ = [
    "ColumnRecord",
    "DatasetRecord",
    "ExclusionList",
    "Removals",
    "RuleRecord",
    "SourceLayout",
    "TableRecord",
    "Totals",
    "WeightRecord",
    "describe_tables",
    "read_dataset",
    "totals_of",
    "write_dataset",
]

_FILE = "dataset.json"

_ROUNDS = 10_000
"""Of PBKDF2: some milliseconds for a speaker."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WeightRecord(_Record):
    """A weight file that took part in the run."""

    name: str
    """Of the asset; of a file inside a package, package, version and file name; of the user's own, as it was set."""
    role: Literal["perception", "speech"]
    """Whether it measured the evidence or processed the sound of the clips."""
    sha256: str
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


class Totals(_Record):
    """What is in the dataset, counted from its tables."""

    videos: int
    """Rows of `videos`, failed and duplicate ones included."""
    failed: int
    """Rows of `videos` whose status is failed or quarantined."""
    excluded: int
    """Rows of `videos` that a list of people or videos to leave out names."""
    hours_raw: float
    """Hours of the videos that could be read; a duplicate counts once."""
    hours_kept: dict[str, float]
    """Hours per tier, from the spans kept; `vae` includes the diffusion clips, for they serve both trainers."""
    clips: int
    """Rows of `clips`."""


class ExclusionList(_Record):
    """A list of people or videos that a run left out. What stands in it is not kept."""

    option: str
    """The option that it was given with."""
    sha256: str
    """Of the file."""
    entries: int
    """How many there are in it."""


class SourceLayout(_Record):
    """A folder that videos came from, and how it was read. Its name, which may tell a person's, is not kept."""

    folder_sha256: str
    """Of its absolute path or address."""
    layout: str
    """A name of the option --layout other than auto."""


class Removals(_Record):
    """What `gaia-curate forget` removed. It keeps later runs from bringing it back, and does not say who it was."""

    salt: str
    """Random, hex: digests of two datasets cannot be compared."""
    videos: tuple[str, ...] = ()
    """A digest of each video's id, sorted. Ids follow from the content: whoever has the file can tell it."""
    speakers: tuple[str, ...] = ()
    """A digest of each speaker's id, sorted. To try out ids is slow, which protects long ids and not short ones."""

    def has_video(self, video_id: str) -> bool:
        """Say whether this video was removed."""
        return self._of_video(video_id) in self.videos

    def has_speaker(self, speaker_id: str) -> bool:
        """Say whether this person was removed."""
        return self._of_speaker(speaker_id) in self.speakers

    def extended(self, videos: Iterable[str], speaker: str | None) -> "Removals":
        """Return these removals and those of videos, and of a person, by their ids."""
        people = () if speaker is None else (self._of_speaker(speaker),)
        return Removals(
            salt=self.salt,
            videos=tuple(sorted({*self.videos, *(self._of_video(video_id) for video_id in videos)})),
            speakers=tuple(sorted({*self.speakers, *people})),
        )

    def _of_video(self, video_id: str) -> str:
        return hashlib.sha256(f"{self.salt} {video_id}".encode()).hexdigest()[:32]

    def _of_speaker(self, speaker_id: str) -> str:
        salt = bytes.fromhex(self.salt)
        return hashlib.pbkdf2_hmac("sha256", speaker_id.encode(), salt, _ROUNDS, dklen=16).hex()


class RuleRecord(_Record):
    """A rule that decided what is kept, and the words in which its value is described."""

    name: str
    """Its outcome in `spans`."""
    words: str
    """What its value is."""
    unit: str
    """Unit of the value; empty where there is none."""
    keeps: Literal["at most", "at least"]
    """Whether values up to the limit are kept, or values from the limit on."""
    own: bool
    """Whether it is a rule of the user's own, whose function a later run has to be given again."""
    settings: dict[str, JsonValue] = {}
    """Settings of the user's own rule; those of built-in ones stand in `config`."""


class DatasetRecord(_Record):
    """The content of dataset.json."""

    schema_version: int
    software: str
    """Name of the distribution that wrote the dataset."""
    software_version: str
    preset: str
    config: dict[str, JsonValue]
    """All settings of the run, defaults included."""
    weights: tuple[WeightRecord, ...]
    tables: dict[str, TableRecord]
    totals: Totals
    rules: tuple[RuleRecord, ...] = ()
    """All rules in the order in which they were applied; empty in a dataset that an older version wrote."""
    exclusions: tuple[ExclusionList, ...] = ()
    """All lists that runs were given, in the order in which they came."""
    layouts: tuple[SourceLayout, ...] = ()
    """How each folder that runs were given was read, in the order in which they came."""
    removals: Removals | None = None
    """What was removed on request; None: nothing was."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Words that may stand in `spans.outcome`: the vocabulary and the user's own rules."""
        return (*OUTCOMES, *(rule.name for rule in self.rules if rule.own))

    def rule(self, name: str) -> RuleRecord | None:
        """Return the description of a rule; None where there is none."""
        return next((rule for rule in self.rules if rule.name == name), None)


def describe_tables() -> dict[str, TableRecord]:
    """Return the tables as `manifests.schema.tables` declares them, for `DatasetRecord.tables`."""
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


def totals_of(dataset: Path) -> Totals:
    """Count what the tables of a dataset hold.

    Raises:
        DatasetError: a table cannot be read.
    """
    videos = read_table(dataset, "videos", ["duration_s", "status", "duplicate_of"])
    spans = read_table(dataset, "spans", ["start_s", "end_s", "tier", "outcome"])
    spans = spans.filter(pc.equal(spans["outcome"], "kept"))
    long_s = pc.subtract(spans["end_s"], spans["start_s"])
    kept = {tier: pc.sum(long_s.filter(pc.equal(spans["tier"], tier))).as_py() or 0.0 for tier in TIERS}
    status = videos["status"].to_pylist()
    raw = pc.sum(videos["duration_s"].filter(pc.is_null(videos["duplicate_of"]))).as_py() or 0.0
    return Totals(
        videos=len(videos),
        failed=sum(status.count(one) for one in FAILED_STATUSES),
        excluded=status.count("excluded"),
        hours_raw=_hours(raw),
        hours_kept={tier: _hours(seconds) for tier, seconds in kept.items()},
        clips=len(read_table(dataset, "clips", ["clip_id"])),
    )


def read_dataset(dataset: Path) -> DatasetRecord:
    """Return what dataset.json says.

    Raises:
        DatasetError: the folder is no dataset, its dataset.json is damaged, or of another schema version.
        StorageError: its store cannot be reached.
    """
    path = dataset / _FILE
    try:
        with reaching(path):
            text = path.read_text(encoding="utf-8")
    except StorageError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetError(
            f"{dataset} is no dataset: it holds no {_FILE}; give the folder that `gaia-curate run --out` wrote"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    try:
        written = _Version.model_validate_json(text)
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged: {_first(error)}; run the curation again to write it anew") from error
    if written.schema_version != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} has schema version {written.schema_version}, this version of the software reads {SCHEMA_VERSION}; "
            f"go on with the version that wrote it, {written.software_version}, or run the curation into a new folder"
        )
    try:
        return DatasetRecord.model_validate_json(text)
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged: {_first(error)}; run the curation again to write it anew") from error


def write_dataset(dataset: Path, record: DatasetRecord) -> None:
    """Write dataset.json; the same record gives the same bytes."""
    content: dict[str, Any] = record.model_dump(mode="json")
    write_json_atomic(dataset / _FILE, content)


class _Version(BaseModel):
    schema_version: int
    software_version: str = "which it does not name"


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 9)  # to a few microseconds, so that the order of the rows does not show


def _first(error: ValidationError) -> str:
    what = error.errors()[0]
    return f"{'.'.join(str(part) for part in what['loc']) or 'the file'}: {what['msg']}"
