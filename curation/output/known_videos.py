"""Videos that a dataset knows from earlier runs, and their records brought up to date.

A video may be known under another id: of an earlier version, or of a file that was read in its samples. Files may have
been moved, replaced or copied since, or have other labels.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord, read_ledger
from curation.sources.content import sample_key
from curation.sources.entries import SourceVideo
from curation.sources.identify import Known
from foundation.storage.path_text import path_of_text, plain_path, text_of_path

__all__ = [
    "KnownVideos",
    "current",
    "earlier",
    "earlier_copies",
    "known_files",
    "moved_to",
    "under_known_ids",
    "with_same_labels",
]


@dataclass(frozen=True, slots=True)
class KnownVideos:
    """Listed videos under the ids of a dataset."""

    videos: tuple[SourceVideo, ...]
    doubtful: frozenset[str]
    """Ids of the dataset that may be those of several contents, and nothing tells of which: to be curated again."""


def known_files(dataset: Path) -> Known:
    """Return the local files of a dataset's ledger, none where there is no dataset yet.

    Raises:
        LedgerError: a record is damaged.
    """
    return {record.path: (record.video_id, record.size_bytes) for record in read_ledger(dataset).values()}


def under_known_ids(videos: Sequence[SourceVideo], records: Mapping[str, VideoRecord]) -> KnownVideos:
    """Return listed videos under the ids by which a dataset knows their content.

    Datasets of earlier versions call a video by its edges, in which two takes may agree. Such an id stays with the file
    at the recorded path; after a move, with the one file of the recorded name; where it can be one video only, with
    that. A remote file that was read in its samples has the id that the same file on a disk got.

    Args:
        videos: of a listing.
        records: the ledger.
    """
    by_samples = defaultdict(list)
    for record in records.values():
        by_samples[sample_key(record.video_id, record.size_bytes)].append(record.video_id)
    own = {video.video_id for video in videos}
    claims: dict[str, list[SourceVideo]] = defaultdict(list)
    for video in videos:
        if video.duplicate_of is None and video.video_id not in records:
            alike = by_samples[sample_key(video.video_id, video.size_bytes)] if _is_sampled(video) else []
            known = [one for one in video.other_ids if one in records and records[one].size_bytes == video.size_bytes]
            known += alike if len(alike) == 1 else []
            for one in known[:1]:
                if one not in own:
                    claims[one].append(video)
    owners = {known: _owner(records[known], claimants) for known, claimants in claims.items()}
    id_of = {owner.video_id: known for known, owner in owners.items() if owner is not None}
    return KnownVideos(
        tuple(replace(video, video_id=id_of.get(video.video_id, video.video_id)) for video in videos),
        frozenset(known for known, owner in owners.items() if owner is None),
    )


def _is_sampled(video: SourceVideo) -> bool:
    """Return whether the id is of samples alone: where a file was read whole, they are among its other ids."""
    return video.read_error is None and not any(
        sample_key(one, 0) == sample_key(video.video_id, 0) for one in video.other_ids
    )


def _owner(record: VideoRecord, claimants: Sequence[SourceVideo]) -> SourceVideo | None:
    if len(claimants) == 1:
        return claimants[0]
    name = plain_path(path_of_text(record.path)).name
    at_path = [video for video in claimants if text_of_path(video.path) == record.path]
    named = [video for video in claimants if plain_path(video.path).name == name]
    return next((found[0] for found in (at_path, named) if len(found) == 1), None)


def with_same_labels(
    folder: DatasetFolder, videos: Sequence[SourceVideo], records: dict[str, VideoRecord]
) -> dict[str, VideoRecord]:
    """Return the records without videos whose speaker or stretches have changed, and remove these from the dataset."""
    listed = {video.video_id: video for video in videos if video.duplicate_of is None}
    changed = {
        video_id
        for video_id, record in records.items()
        if video_id in listed and record.status != "excluded" and not record.is_about(listed[video_id])
    }
    for video_id in changed:
        folder.forget_video(video_id)
    return {video_id: record for video_id, record in records.items() if video_id not in changed}


def current(video: SourceVideo, done: dict[str, VideoRecord]) -> VideoRecord:
    """Return the record of a file under the name that it has today."""
    if video.duplicate_of is not None:
        return VideoRecord.duplicate(video, video.duplicate_of).with_outcome_of(done[video.video_id])
    labels = {"path": text_of_path(video.path), "source": video.source, "speaker_id": video.speaker_id}
    labels |= asdict(video.labels)
    return done[video.video_id].model_copy(update=labels)


def moved_to(folder: DatasetFolder, records: Sequence[VideoRecord], done: Mapping[str, VideoRecord]) -> dict[str, str]:
    """Bring the ledger up to date with the paths and sources of today.

    The other tables follow when the run finishes, from the rows of `videos`.

    Returns:
        By its path of today, the path before of each video that lies elsewhere now or is called otherwise.
    """
    before = {row.video_id: row.path for row in folder.rows() if row.duplicate_of is None}
    moved = {}
    for record in (record for record in records if record.duplicate_of is None):
        written = done[record.video_id]
        if record != written:
            folder.write(record)
        # the ledger is written before the tables, and a run may have been stopped in between
        for path in (written.path, before.get(record.video_id, record.path)):
            if path != record.path:
                moved[record.path] = path
    return moved


def earlier(folder: DatasetFolder, videos: Sequence[SourceVideo], done: dict[str, VideoRecord]) -> list[VideoRecord]:
    """Return the records of videos outside this run, and remove those of replaced files."""
    listed = {video.video_id for video in videos}
    readable = {text_of_path(video.path) for video in videos if video.read_error is None}
    kept = []
    for video_id, record in done.items():
        if video_id in listed:
            continue
        if record.path in readable:  # the file has other content now
            folder.forget_video(video_id)
        else:
            kept.append(record)
    return kept


def earlier_copies(
    folder: DatasetFolder, videos: Sequence[SourceVideo], records: Sequence[VideoRecord], moved: Mapping[str, str]
) -> Iterator[VideoRecord]:
    """Yield the rows of copies outside this run: only the earlier table has them, not the ledger.

    The copies of a video that has moved are those that its source holds now.
    """
    listed = {text_of_path(video.path) for video in videos}
    path_of = {record.video_id: record.path for record in records if record.duplicate_of is None}
    for row in folder.rows():
        if row.duplicate_of is None or row.video_id not in path_of:
            continue
        path = path_of[row.video_id]
        if row.path not in listed and path not in moved:
            yield row.model_copy(update={"duplicate_of": path})
