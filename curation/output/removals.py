"""Removal of videos from a dataset, by exclusion lists or by `gaia-curate forget`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.output.folder import forget_video
from curation.output.ledger import VideoRecord, write_record
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import Exclusions, exclusion_reasons
from foundation.storage.path_text import path_of_text
from manifests.record import read_dataset, write_dataset

__all__ = ["finish_forgetting", "leave_out", "without_removed"]

_OUTCOME = {
    *("status", "error_code", "error_detail", "duplicate_of", "duration_s", "width", "height", "fps", "codec"),
    *("has_audio", "rotation", "kept_diffusion_s", "kept_vae_s", "n_clips", "analyze_s", "decide_s", "render_s"),
}
"""What is known of a video because it was decoded."""


def leave_out(
    dataset: Path, videos: Sequence[SourceVideo], exclusions: Exclusions, records: Mapping[str, VideoRecord]
) -> dict[str, VideoRecord]:
    """Return the records with those of the videos that lists name; what a dataset holds of these videos is removed.

    Who is in a file is in its copies: they share their id, and are left out with it. A path or a name stands for the
    whole file, every stretch of it. What was left out once stays so in later runs, whatever their lists.

    Args:
        dataset: the folder.
        videos: those that a run is about.
        exclusions: the lists; they are applied to videos of earlier runs, too.
        records: the ledger.

    Raises:
        OSError: the dataset cannot be written.
    """
    before = read_dataset(dataset)
    lists = tuple(dict.fromkeys((*before.exclusions, *exclusions.lists)))
    if lists != before.exclusions:
        write_dataset(dataset, before.model_copy(update={"exclusions": lists}))
    known = [(record.video_id, path_of_text(record.path), record.speaker_id) for record in records.values()]
    asked = [(video.video_id, video.path, video.speaker_id) for video in videos]
    reasons = exclusion_reasons((*known, *asked), exclusions)
    originals = {video.video_id: video for video in videos if video.duplicate_of is None}
    done = dict(records)
    for video_id, why in reasons.items():
        record = done.get(video_id)
        if record is not None and record.status == "excluded":
            continue
        if video_id in originals:
            record = VideoRecord.failed(originals[video_id], "excluded", why)
        if record is not None:
            forget_video(dataset, video_id)
            fields = record.model_dump(exclude=_OUTCOME)
            done[video_id] = VideoRecord(**fields, status="excluded", error_code="excluded", error_detail=why)
            write_record(dataset, done[video_id])
    return done


def without_removed(dataset: Path, videos: Sequence[SourceVideo]) -> list[SourceVideo]:
    """Return the videos but those, and those of people, that were to be forgotten.

    Raises:
        DatasetError: `dataset` is no dataset.
    """
    removals = read_dataset(dataset).removals
    if removals is None:
        return list(videos)
    speakers = {video.speaker_id for video in videos if video.speaker_id is not None}
    people = {speaker for speaker in speakers if removals.has_speaker(speaker)}
    gone = {video.video_id for video in videos if video.speaker_id in people}  # and what has their content, too
    return [video for video in videos if video.video_id not in gone and not removals.has_video(video.video_id)]


def finish_forgetting(dataset: Path, records: Mapping[str, VideoRecord]) -> dict[str, VideoRecord]:
    """Return the records but those of videos that a stopped `forget` has left; what else is theirs goes with them.

    Raises:
        DatasetError: `dataset` is no dataset.
        OSError: a file cannot be removed.
    """
    removals = read_dataset(dataset).removals
    gone = {video_id for video_id in records if removals is not None and removals.has_video(video_id)}
    for video_id in gone:
        forget_video(dataset, video_id)
    return {video_id: record for video_id, record in records.items() if video_id not in gone}
