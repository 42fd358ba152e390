"""Videos that a run leaves out: those that exclusion lists name, and those that `gaia-curate forget` removed."""

from collections.abc import Iterator, Mapping, Sequence

from curation.output.ledger import VideoRecord
from curation.sources.content import sample_key
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import Exclusions, exclusion_reasons
from manifests.removals import Removals

__all__ = ["keys_of", "newly_excluded", "without_removed"]


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
    known = [record.listing() for record in records.values()]
    originals = {video.video_id: video for video in videos if video.duplicate_of is None}
    for video_id, reason in exclusion_reasons((*known, *videos), exclusions).items():
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
    return [video for video in videos if video.video_id not in gone and not _is_removed(video, removals)]


def keys_of(record: VideoRecord) -> tuple[str, str]:
    """Return what `forget` remembers of a video: its id, and what all ids of its content have in common."""
    return record.video_id, sample_key(record.video_id, record.size_bytes)


def _is_removed(video: SourceVideo, removals: Removals) -> bool:
    """Return whether a video was removed, under any of its ids: what agrees with it is left out too."""
    ids = (video.video_id, *video.other_ids)
    return any(removals.has_video(key) for one in ids for key in (one, sample_key(one, video.size_bytes)))
