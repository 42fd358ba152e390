"""Videos that a dataset knows under another id: of an earlier version, or of a file that was read in its samples."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.output.ledger import VideoRecord, read_ledger
from curation.sources.content import sample_key
from curation.sources.entries import SourceVideo
from curation.sources.identify import Known
from foundation.storage.path_text import path_of_text, plain_path, text_of_path

__all__ = ["KnownVideos", "known_files", "under_known_ids"]


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
