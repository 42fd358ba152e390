"""Reading while a command writes: all of an answer is from one state of the dataset, or there is none.

A reader takes no lease. It reads between two looks at the files that make up the state, and reads again if they have
changed. While a command is at work, the state is that of the last command which ended: only rows of videos that the
table `videos` has count, for others may come at any moment. What has been removed or rewritten of that state cannot be
read any more.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from foundation.errors import CannotStartError
from foundation.storage.leases import Holder, other_holder_of
from foundation.storage.locations import StorageError, is_remote, remote_of, store_errors
from manifests.errors import DatasetError
from manifests.files.journal import JOURNAL
from manifests.files.tables import read_table
from manifests.packing.packed_files import PACKED, stored_videos
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES
from manifests.schema.videos import SPANS, VIDEOS

__all__ = ["ChangingDatasetError", "Counted", "counted_rows", "in_one_state", "without_writer"]

_LOG = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

Counted = frozenset[str] | None
"""Ids of the videos whose rows count while a command is at work; None: those of all."""

_ATTEMPTS = 5

_PAUSE_S = 0.3
"""Pause after an attempt, seconds: the next is made after once, twice, three times this."""

_LOOK_S = 1.0
"""Time between two looks while the end of a command is waited for."""

_PER_VIDEO = frozenset({FRAMES.name, SPANS.name, CLIPS.name})
"""Tables that have a file per video until they are packed."""

_COLUMNS = ("video_id", "status", "duration_s", "n_clips", "duplicate_of")


class ChangingDatasetError(CannotStartError):
    """A command changes the dataset, so that it cannot be read as a whole; the message says which."""


class _PartlyChangedError(Exception):
    """Rows of the last state are missing."""


def in_one_state(dataset: Path, read: Callable[[Counted], AnswerT]) -> AnswerT:
    """Return what `read` returns, all of it from one state of the dataset.

    Args:
        dataset: the folder or address.
        read: reads the tables, maybe several times; it is given the videos whose rows count.

    Raises:
        ChangingDatasetError: a command changes what is to be read; there is no state to read before it has ended.
        Exception: whatever `read` raises on files that nobody changes.
    """
    problem: Exception | None = None
    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE_S * attempt)
        try:
            before = _state(dataset)
        except StorageError:
            raise
        except (_PartlyChangedError, DatasetError, OSError) as error:
            problem = error
            continue
        problem = None
        try:
            answer = read(before.counted)
        except Exception:  # the files may have been replaced
            if _is_unchanged(dataset, before):
                raise
            continue
        if _is_unchanged(dataset, before):
            return answer
    holder = other_holder_of(dataset)
    if holder is None and isinstance(problem, DatasetError | OSError):
        raise problem
    raise _changing(dataset, holder)


def counted_rows(rows: pa.Table, counted: Counted) -> pa.Table:
    """Return the rows of videos that count, of a table with a `video_id`."""
    if counted is None:
        return rows
    return rows.filter(pc.is_in(rows["video_id"], pa.array(sorted(counted), pa.string())))


def without_writer(dataset: Path, work: Callable[[], AnswerT], *, wait: bool = False, repeat: bool = True) -> AnswerT:
    """Return what `work` returns on a dataset to which no command writes meanwhile.

    Args:
        dataset: the folder or address.
        work: reads the dataset.
        wait: wait for the end of a command, with a note in the log, and work again if one has begun in between.
        repeat: whether `work` may be done more than once; otherwise a change in between is an error.

    Raises:
        ChangingDatasetError: a command writes to it, or has begun to meanwhile, and `wait` is false.
        Exception: whatever `work` raises on a dataset that nobody changes.
    """
    first = True
    while True:
        _require_no_writer(dataset, wait=wait)
        before = _listings(dataset, None)
        try:
            answer = work()
        except Exception:  # the files may have been replaced
            if other_holder_of(dataset) is None and _listings(dataset, None) == before:
                raise
        else:
            if other_holder_of(dataset) is None and _listings(dataset, None) == before:
                return answer
        if not repeat or not (wait or first):
            raise _changing(dataset, other_holder_of(dataset))
        first = False


def _require_no_writer(dataset: Path, *, wait: bool) -> None:
    told = False
    while (holder := other_holder_of(dataset)) is not None:
        if not wait:
            raise _changing(dataset, holder)
        if not told:
            _LOG.warning("%s: waiting for %s; Ctrl-C ends the wait", dataset, holder.text())
            told = True
        time.sleep(_LOOK_S)


def _changing(dataset: Path, holder: Holder | None) -> ChangingDatasetError:
    if holder is None:
        return ChangingDatasetError(f"{dataset} was changed each time that it was read; try again")
    return ChangingDatasetError(
        f"{dataset} is being changed by {holder.text()}: it cannot be read as a whole before that command has ended"
    )


_Listings = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What changes with the state of a dataset."""

    counted: Counted
    listings: _Listings
    """The files, but those of videos that do not count."""


def _is_unchanged(dataset: Path, before: _State) -> bool:
    try:
        return _state(dataset) == before
    except (_PartlyChangedError, DatasetError, OSError):
        return False


def _state(dataset: Path) -> _State:
    """Return the state of a dataset.

    Raises:
        _PartlyChangedError: a command has removed rows of the last state.
        DatasetError: a file is damaged, or just replaced.
        OSError: a folder cannot be listed.
    """
    counted = None if other_holder_of(dataset) is None else _curated(dataset)
    return _State(counted=counted, listings=_listings(dataset, counted))


def _listings(dataset: Path, counted: Counted) -> _Listings:
    folders = [_listing(dataset / name) for name in TABLES]
    files = [
        (table, *facts)
        for table, listing in zip(TABLES, folders, strict=True)
        for facts in listing
        if counted is None
        or table not in _PER_VIDEO
        or facts[0].startswith(PACKED)
        or facts[0].removesuffix(".parquet") in counted
    ]
    singles = [(name, *_facts(dataset / name)) for name in ("dataset.json", JOURNAL)]
    return (*files, *singles)


def _curated(dataset: Path) -> frozenset[str]:
    """Return the ids of the videos that the table `videos` has as curated.

    Raises:
        _PartlyChangedError: the rows of one are gone.
    """
    rows = [row for row in read_table(dataset, VIDEOS.name, _COLUMNS).to_pylist() if row["duplicate_of"] is None]
    long = {row["video_id"] for row in rows if row["status"] == "ok" and row["duration_s"]}
    with_clips = {row["video_id"] for row in rows if row["n_clips"]}
    stored = {table.name: stored_videos(dataset, table).keys() for table in (FRAMES, SPANS, CLIPS)}
    if long - stored[FRAMES.name] or long - stored[SPANS.name] or with_clips - stored[CLIPS.name]:
        raise _PartlyChangedError
    return frozenset(row["video_id"] for row in rows if row["status"] == "ok")


def _listing(folder: Path) -> list[tuple[str, ...]]:
    """Return the names of the Parquet files of a folder, hidden ones included, each with what its content changes."""
    found: list[tuple[str, ...]]
    if is_remote(folder):
        remote = remote_of(folder)
        try:
            with store_errors(folder):
                entries = remote.fs.ls(remote.path, detail=True)
        except FileNotFoundError:
            return []
        found = [(entry["name"].rpartition("/")[2], _version(entry)) for entry in entries]
    else:
        try:
            entries = [] if folder.is_symlink() else folder.iterdir()  # a link is refused where it is read
            found = [(path.name, *_facts(path)) for path in entries if path.suffix == ".parquet"]
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(one for one in found if one[0].endswith(".parquet"))


def _facts(path: Path) -> tuple[str, ...]:
    """Return what changes with the content of a file; nothing if there is none."""
    try:
        if is_remote(path):
            with store_errors(path):
                return (_version(remote_of(path).fs.info(remote_of(path).path)),)
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return (f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ino}",)


def _version(entry: dict[str, object]) -> str:
    return " ".join(str(entry.get(name)) for name in ("ETag", "size", "LastModified", "created"))
