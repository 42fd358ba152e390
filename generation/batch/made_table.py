"""The manifest of a list of jobs: one row a job, Parquet, and a journal while jobs are made.

Each finished job is a line of the journal, on disk before the next begins, so that a command that is killed loses none.
At its end the command writes the Parquet file anew and removes the journal.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from io import BufferedRandom
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from foundation.errors import CannotStartError, UsageError
from foundation.storage.arrow import read_parquet
from foundation.storage.atomic import replacing

__all__ = ["MadeRow", "MadeTable", "ManifestError"]

_SCHEMA_VERSION = "1"


class ManifestError(UsageError):
    """A manifest cannot be read."""


class ListHeldError(CannotStartError):
    """Another command makes the videos of the list."""


def _column(kind: pa.DataType, meaning: str) -> Any:  # noqa: ANN401 - what the dataclass makes of it
    return field(default=None, metadata={"type": kind, "meaning": meaning})


_TEXT, _I32, _I64, _F64 = pa.string(), pa.int32(), pa.int64(), pa.float64()


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeRow:
    """What became of a job; its fields are the columns of the manifest. Paths are absolute, SHA-256 in hexadecimal."""

    line: int | None = _column(_I32, "line of the list; null: the list has no such job any more")
    out: str = field(metadata={"type": _TEXT, "meaning": "the video"})
    status: Literal["made", "failed"] = field(metadata={"type": _TEXT, "meaning": "`made` or `failed`"})
    error_code: str | None = _column(_TEXT, "kind of the error of a failed job")
    error: str | None = _column(_TEXT, "its message")
    seconds: float | None = _column(_F64, "time that the job took; loading of models is not in it")
    portrait: str | None = _column(_TEXT, "picture of the person")
    portrait_sha256: str | None = _column(_TEXT, "of that file")
    speech: str | None = _column(_TEXT, "sound that drove the portrait")
    speech_sha256: str | None = _column(_TEXT, "of that file")
    driving: str | None = _column(_TEXT, "video that drove the portrait")
    driving_sha256: str | None = _column(_TEXT, "of that file")
    text: str | None = _column(_TEXT, "instruction that drove the portrait")
    pose: str | None = _column(_TEXT, "head poses as of `--pose`; null with a driving video")
    pose_sha256: str | None = _column(_TEXT, "of the file of head poses")
    seed: int | None = _column(_I64, "of the motion; null with a driving video")
    settings: str | None = _column(_TEXT, "JSON: options of sampling, changes of the poses, face, background, marks")
    run: str | None = _column(_TEXT, "folder and checkpoint of the networks")
    run_sha256: str | None = _column(_TEXT, "of the networks and the settings of their training data")
    software: str | None = _column(_TEXT, "name and version of what made it")
    out_sha256: str | None = _column(_TEXT, "of the video")
    out_bytes: int | None = _column(_I64, "its size")
    n_frames: int | None = _column(_I32, "its frames, 25 a second")
    note: str | None = _column(_TEXT, "what makes the video worse, such as a small face")

    @classmethod
    def schema(cls) -> pa.Schema:
        """Return the schema of the Parquet file, with the meaning of each column as its metadata."""
        columns = [
            pa.field(one.name, one.metadata["type"], metadata={"meaning": one.metadata["meaning"]})
            for one in fields(cls)
        ]
        return pa.schema(columns, metadata={"gaia_table": "made", "gaia_schema_version": _SCHEMA_VERSION})

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the row of named values.

        Raises:
            TypeError: there are others, or some are missing.
        """
        return cls(**values)


class MadeTable:
    """Rows of a manifest by their video, for one writer at a time."""

    def __init__(self, path: Path) -> None:
        """Read the manifest at `path`, where there is one; use it in a `with` block, at whose end it is written.

        Raises:
            ManifestError: the file is no manifest.
            ListHeldError: another process makes videos of this manifest.
            OSError: it cannot be read, or its folder cannot be written.
        """
        self.rows: dict[str, MadeRow] = {}
        """By `out`."""
        self._path = path
        self._journal_path = _journal_of(path)
        self._journal = _locked(self._journal_path, path)
        try:
            self._journal.seek(0)
            journalled, end = _whole_rows(self._journal.read())
            self._journal.truncate(end)
            self.rows = {row.out: row for row in (*_stored_rows(path), *journalled)}
        except BaseException:
            self._journal.close()
            raise

    @staticmethod
    def read(path: Path) -> dict[str, MadeRow]:
        """Return the rows at `path` by their video, those of an unfinished command included; nothing is written.

        Raises:
            ManifestError: the file is no manifest.
            OSError: it cannot be read.
        """
        journal = _journal_of(path)
        rows = _stored_rows(path)
        if journal.exists():
            rows += _whole_rows(journal.read_bytes())[0]
        return {row.out: row for row in rows}

    def place(self, lines: Mapping[str, int | None]) -> None:
        """Number all rows by the lines of the list as it is now; null: it has no such job any more."""
        self.rows = {out: replace(row, line=lines.get(out)) for out, row in self.rows.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.write()
            self._journal_path.unlink()
        except OSError:
            if error is None:
                raise  # else the first error counts, and the journal holds the rows
        finally:
            self._journal.close()

    def add(self, row: MadeRow) -> None:
        """Record a finished job; it is on disk when this returns."""
        self.rows[row.out] = row
        self._journal.write(json.dumps(asdict(row), allow_nan=False).encode() + b"\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def write(self) -> None:
        """Write the Parquet file, by lines of the list, then by names."""
        ordered = sorted(self.rows.values(), key=lambda row: (row.line is None, row.line or 0, row.out))
        table = pa.Table.from_pylist([asdict(row) for row in ordered], schema=MadeRow.schema())
        with replacing(self._path) as file:
            pq.write_table(table, file)


def _journal_of(manifest: Path) -> Path:
    return manifest.with_name(f".{manifest.name}.jsonl")


def _locked(journal: Path, manifest: Path) -> BufferedRandom:
    """Open the journal for this process alone; the system gives it free when the process ends, however it does."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = journal.open("a+b")
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise ListHeldError(f"another command makes the videos of {manifest}; wait for its end") from error
        if journal.exists() and os.path.samestat(os.fstat(file.fileno()), journal.stat()):
            return file
        file.close()  # whoever held it has ended and removed it


def _stored_rows(path: Path) -> list[MadeRow]:
    if not path.exists():
        return []
    try:
        return [MadeRow.of(values) for values in read_parquet(path).to_pylist()]
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ManifestError(
            f"--manifest {path}: is no manifest of this version: {error}; give the name of a new file"
        ) from error


def _whole_rows(journal: bytes) -> tuple[list[MadeRow], int]:
    """Return the rows of a journal, whose last line may be cut short, and where the last whole one ends, bytes."""
    rows, end = [], 0
    for line in journal.splitlines(keepends=True):
        try:
            rows.append(MadeRow.of(json.loads(line)))
        except (ValueError, TypeError):
            break
        end += len(line)
    return rows, end
