"""Removal of videos from a dataset, by exclusion lists or by `gaia-curate forget`."""

from collections.abc import Mapping, Sequence

from curation.output.folder import DatasetFolder
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import Exclusions, exclusion_reasons
from foundation.storage.path_text import path_of_text
from manifests.removals import Removals

__all__ = ["finish_forgetting", "leave_out", "without_removed"]


def leave_out(
    folder: DatasetFolder, videos: Sequence[SourceVideo], exclusions: Exclusions, records: Mapping[str, VideoRecord]
) -> dict[str, VideoRecord]:
    """Return the records with those of the videos that lists name; what a dataset holds of these videos is removed.

    Who is in a file is in its copies: they share their id, and are left out with it. A path or a name stands for the
    whole file, every stretch of it. What was left out once stays so in later runs, whatever their lists.

    Args:
        folder: the dataset.
        videos: those that a run is about.
        exclusions: the lists; they are applied to videos of earlier runs, too.
        records: the ledger.

    Raises:
        OSError: the dataset cannot be written.
    """
    known = [(record.video_id, path_of_text(record.path), record.speaker_id) for record in records.values()]
    listed = [(video.video_id, video.path, video.speaker_id) for video in videos]
    reasons = exclusion_reasons((*known, *listed), exclusions)
    originals = {video.video_id: video for video in videos if video.duplicate_of is None}
    done = dict(records)
    for video_id, reason in reasons.items():
        record = done.get(video_id)
        if record is not None and record.status == "excluded":
            continue
        video = originals.get(video_id) or (record.listing() if record is not None else None)
        if video is not None:
            folder.forget_video(video_id)
            done[video_id] = VideoRecord.excluded(video, reason)
            folder.write(done[video_id])
    return done


def without_removed(removals: Removals | None, videos: Sequence[SourceVideo]) -> list[SourceVideo]:
    """Return the videos but those, and those of people, that were to be forgotten."""
    if removals is None:
        return list(videos)
    speakers = {video.speaker_id for video in videos if video.speaker_id is not None}
    people = {speaker for speaker in speakers if removals.has_speaker(speaker)}
    gone = {video.video_id for video in videos if video.speaker_id in people}  # and what has their content, too
    return [video for video in videos if video.video_id not in gone and not removals.has_video(video.video_id)]


def finish_forgetting(folder: DatasetFolder, records: Mapping[str, VideoRecord]) -> dict[str, VideoRecord]:
    """Return the records but those of videos that a stopped `forget` has left; what else is theirs goes with them.

    Raises:
        OSError: a file cannot be removed.
    """
    removals = folder.record.removals
    gone = {video_id for video_id in records if removals is not None and removals.has_video(video_id)}
    for video_id in gone:
        folder.forget_video(video_id)
    return {video_id: record for video_id, record in records.items() if video_id not in gone}
