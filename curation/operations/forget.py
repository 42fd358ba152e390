"""Removal of a person or of single videos from a dataset, for later runs too.

First digests of what is removed are written into the record, so that no later run brings it back. The rows of `videos`,
which identify the person, are removed last. So a stopped call is completed by the same call, or by the next run.
"""

import io
import json
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from curation.engine.event_log import events_path
from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord, read_ledger
from curation.output.removals import keys_of, without_removed
from curation.output.sole_writer import sole_writer
from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.exclusions import names_of
from foundation.storage.arrow import read_parquet
from foundation.storage.atomic import replacing
from foundation.storage.leases import require_lease
from foundation.storage.locations import StorageError, is_address, is_remote
from foundation.storage.path_text import path_of_text
from foundation.storage.regular_files import open_regular
from foundation.text import count_text, shown
from manifests.card.own_files import CARD_FILES
from manifests.errors import DatasetError
from manifests.files.journal import finish_swap
from manifests.files.names import files_of, folder_in
from manifests.files.tables import read_table
from manifests.removals import Removals

__all__ = ["Forgotten", "forget"]

_EVENT_BYTES = 1 << 20
"""Most that a line of the event log has: a time, a name, a reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """Count of what was removed, or would be."""

    files: int
    """Rows of `videos`, copies included."""
    clips: int
    kept_s: float
    """Seconds of clips of either tier."""
    latents: tuple[str, ...]
    """Folders of latents with removed files, which have to be written again."""
    not_looked_into: tuple[str, ...]
    """Other files and folders in the dataset's folder."""
    has_card: bool
    """Whether `gaia-curate card` has described the dataset, whose figures count what is removed."""
    dry_run: bool

    def text(self) -> str:
        """Return the counts as text for people."""
        if not self.files:
            return "Nothing of them is left in the dataset: they had been forgotten before."
        verb = "Would remove" if self.dry_run else "Removed"
        what = f"{count_text(self.files, 'file')} and {count_text(self.clips, 'clip')}, {self.kept_s:.1f} s"
        lines = [f"{verb} {what}, from all tables, media and records."]
        lines += [f"{verb} parts of {name}: run `gaia-train latents` again." for name in self.latents]
        if self.has_card:
            lines.append("README.md and croissant.json describe the dataset as it was: run `gaia-curate card` again.")
        lines += [f"Not looked into: {name}, which does not belong to a dataset." for name in self.not_looked_into]
        if not self.dry_run:
            lines.append("Models that were trained on the dataset, copies and backups of it are as they were.")
        return "\n".join(map(shown, lines))


def forget(
    dataset: str | Path,
    *,
    speaker: str | None = None,
    videos: Sequence[str] = (),
    dry_run: bool = False,
    wait: bool = False,
) -> Forgotten:
    """Remove a person, or single videos, from every table, every tar, the ledger, its log and the latents.

    No run is at work meanwhile, which could bring them back, and the same call again is no error. Copies of a file go
    with it, under whatever name. Files that hold other people too are written anew without them.

    Args:
        dataset: made by `run` or `decide`.
        speaker: the person's `speaker_id`.
        videos: ids, paths or ends of paths of videos, besides.
        dry_run: only count.
        wait: wait while another command writes to the dataset; otherwise such a command is an error.

    Raises:
        DatasetError: `dataset` is no dataset, or holds no such speaker or video; nothing is changed then.
        LeaseHeldError: another command writes to it, and `wait` is false; nothing is changed.
        LeaseLostError: this process was stopped for so long that another command has begun; the same call goes on.
        OSError: a file cannot be read, written or removed; the same call completes the removal.
    """
    if dry_run:
        folder = DatasetFolder.existing(dataset)
        return _found(folder, read_ledger(folder.path), speaker, videos).report(dry_run=True)
    with sole_writer(dataset, "gaia-curate forget", wait=wait):
        folder = DatasetFolder.existing(dataset)
        finish_swap(folder.path)
        found = _found(folder, folder.ledger(), speaker, videos)
        report = found.report(dry_run=False)
        # also where nothing is found any more: the call that removed it may have been stopped
        _remove(found, speaker)
        return report


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What a dataset has of a person or of videos."""

    folder: DatasetFolder
    rows: tuple[VideoRecord, ...]
    """Of `videos` and of the ledger, all."""
    ids: frozenset[str]
    """Ids of the videos to remove."""

    def report(self, *, dry_run: bool) -> Forgotten:
        """Count what is to be removed."""
        clips = read_table(self.folder.path, "clips", ["video_id", "start_s", "end_s"])
        own = clips.filter(pc.is_in(clips["video_id"], value_set=pa.array(sorted(self.ids), pa.string())))
        latents = {f"latents/{path.parent.name}" for path in _latents_of(self.folder.path, self.ids)}
        return Forgotten(
            files=sum(row.video_id in self.ids for row in self.rows),
            clips=len(own),
            kept_s=sum(pc.subtract(own["end_s"], own["start_s"]).to_pylist()),
            latents=tuple(sorted(latents)),
            not_looked_into=tuple(self.folder.foreign_entries()),
            has_card=any((self.folder.path / name).exists() for name in CARD_FILES),
            dry_run=dry_run,
        )


def _found(
    folder: DatasetFolder, ledger: Mapping[str, VideoRecord], speaker: str | None, videos: Sequence[str]
) -> _Found:
    """Return what is to be removed; nothing where an earlier call has removed it.

    Raises:
        DatasetError: the dataset holds no such speaker or video, and none was removed from it.
    """
    removals, rows = folder.record.removals, folder.rows()
    listed = {row.video_id for row in rows}
    rows += [record for video_id, record in ledger.items() if video_id not in listed]
    ids = set() if speaker is None else _ids_of(folder.path, rows, speaker)
    if speaker is not None and not ids and not (removals is not None and removals.has_speaker(speaker)):
        raise DatasetError(f"{folder.path} has no speaker {speaker!r}; its table `videos` names that of each file")
    for name in videos:
        named = {row.video_id for row in rows if name in names_of(row.video_id, path_of_text(row.path))}
        if not named and not (removals is not None and _was_removed(name, removals)):
            raise DatasetError(f"{folder.path} has no video {name!r}; give its id, path, or the end of its path")
        ids |= named
    # whoever is recorded as removed and still listed: an earlier call was stopped
    ids |= {video_id for video_id in listed if removals is not None and removals.has_video(video_id)}
    return _Found(folder=folder, rows=tuple(rows), ids=frozenset(ids))


def _ids_of(dataset: Path, rows: Sequence[VideoRecord], speaker: str) -> set[str]:
    """Return the ids of the videos of a speaker."""
    clips = read_table(dataset, "clips", ["video_id", "speaker_id"])
    own = clips.filter(pc.equal(clips["speaker_id"], speaker))["video_id"].to_pylist()
    return {row.video_id for row in rows if row.speaker_id == speaker}.union(own)


def _was_removed(name: str, removals: Removals) -> bool:
    """Return whether a video was removed before: by its id, or by the content of the file, as no path is remembered."""
    if removals.has_video(name):
        return True
    if not (is_address(name) or Path(name).is_file()):
        return False
    try:
        listed = discover(name).videos
    except (SourceError, StorageError):
        return False
    return bool(listed) and not without_removed(removals, listed)


def _remove(found: _Found, speaker: str | None) -> None:
    folder, rows, ids = found.folder, found.rows, found.ids
    removals = folder.record.removals or Removals(salt=secrets.token_hex(16))
    keys = {key for row in rows if row.video_id in ids for key in keys_of(row)}
    needles = _needles({name for row in rows if row.video_id in ids for name in (row.video_id, row.path)})
    logs = _logs_with(folder.path, needles)
    names = {name for row in rows if row.video_id in ids for name in (row.video_id, row.path, row.speaker_id) if name}
    folder.note_removals(removals.extended(keys.union(ids), speaker), names | ({speaker} if speaker else set()))
    for path in list(_latents_of(folder.path, ids)):
        require_lease(folder.path)
        (path.parent / "latents.json").unlink(missing_ok=True)  # it has statistics of all clips
        path.unlink()
    for path in logs:
        require_lease(folder.path)
        with replacing(path) as kept:
            kept.writelines(line for line in _lines(path) if not _holds(line, needles))
    for video_id in sorted(ids):
        folder.forget_video(video_id)
    left = [row for row in rows if row.video_id not in ids]
    folder.finish(sorted(left, key=lambda row: row.path))


def _latents_of(dataset: Path, ids: Collection[str]) -> Iterator[Path]:
    """Yield the files of latents that hold a clip of these videos."""
    folder = folder_in(dataset, "latents")
    vaes = [vae.name for vae in folder.iterdir() if not vae.name.startswith(".")] if folder.exists() else []
    for path in (path for vae in vaes for path in files_of(dataset, f"latents/{vae}", ".parquet")):
        try:
            clips = read_parquet(path, ["clip_id"])["clip_id"].to_pylist()
        except (pa.ArrowException, KeyError, OSError) as error:
            raise DatasetError(
                f"{path} cannot be read: {error}; remove it, and run `gaia-train latents` again"
            ) from error
        if any(str(clip_id).partition("-")[0] in ids for clip_id in clips):
            yield path


def _needles(names: Collection[str]) -> list[bytes]:
    """Return names as they may stand in a line of JSON."""
    return [name.encode() for name in names] + [json.dumps(name)[1:-1].encode() for name in names]


def _logs_with(dataset: Path, needles: Sequence[bytes]) -> list[Path]:
    """Return the event logs with a line that holds one of these.

    Raises:
        DatasetError: a log is a link or no regular file, or holds something other than events.
    """
    logs = files_of(dataset, events_path(dataset).parent.name, ".jsonl")
    return [path for path in logs if any([_holds(line, needles) for line in _lines(path)])]  # noqa: C419 - read to its end


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as log:
        while line := log.readline(_EVENT_BYTES + 1):
            if len(line) > _EVENT_BYTES:
                raise DatasetError(
                    f"{path}: it has a line of more than {_EVENT_BYTES:,} bytes, which is no event; remove it"
                )
            yield line


def _opened(path: Path) -> io.BufferedReader:
    if not is_remote(path):
        return open_regular(path, follow_links=False)
    # a stream of fsspec has no limit for the length of a line
    return io.BufferedReader(cast("io.RawIOBase", path.open("rb")))


def _holds(line: bytes, needles: Sequence[bytes]) -> bool:
    return any(needle in line for needle in needles)
