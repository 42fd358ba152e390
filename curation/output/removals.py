"""Videos that a run leaves out: those that exclusion lists name, and those that `gaia-curate forget` removed."""

from collections.abc import Iterator, Mapping, Sequence

from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import Exclusions, exclusion_reasons
from foundation.storage.path_text import path_of_text
from manifests.removals import Removals

__all__ = ["newly_excluded", "without_removed"]


def newly_excluded(
    videos: Sequence[SourceVideo], exclusions: Exclusions, records: Mapping[str, VideoRecord]
) -> Iterator[VideoRecord]:
    """Yield a record for each video that lists name and that is not left out already.

    Copies of a file have its id, and are left out with it. A path or a name stands for the
    whole file, every stretch of it. What was left out once stays so in later runs, whatever their lists.

    Args:
        videos: those that a run is about.
        exclusions: the lists; they are applied to videos of earlier runs, too.
        records: the ledger.
    """
    known = [(record.video_id, path_of_text(record.path), record.speaker_id) for record in records.values()]
    listed = [(video.video_id, video.path, video.speaker_id) for video in videos]
    originals = {video.video_id: video for video in videos if video.duplicate_of is None}
    for video_id, reason in exclusion_reasons((*known, *listed), exclusions).items():
        record = records.get(video_id)
        if record is not None and record.status == "excluded":
            continue
        video = originals.get(video_id) or (record.listing() if record is not None else None)
        if video is not None:
            yield VideoRecord.excluded(video, reason)


def without_removed(removals: Removals | None, videos: Sequence[SourceVideo]) -> list[SourceVideo]:
    """Return the videos without those, and without those of people, that `forget` was given."""
    if removals is None:
        return list(videos)
    speakers = {video.speaker_id for video in videos if video.speaker_id is not None}
    people = {speaker for speaker in speakers if removals.has_speaker(speaker)}
    gone = {video.video_id for video in videos if video.speaker_id in people}  # copies of the content included
    return [video for video in videos if video.video_id not in gone and not removals.has_video(video.video_id)]
