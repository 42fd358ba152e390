"""Videos that a run leaves out.

Those that exclusion lists name, those without recorded consent where it is required, and those that
`gaia-curate forget` removed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from curation.output.ledger import VideoRecord
from curation.sources.content import sample_key
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import Exclusions, exclusion_reasons
from manifests.removals import Removals
from manifests.vocabulary import ErrorCode

__all__ = ["accepted_consent", "consenting", "consenting_again", "keys_of", "newly_excluded", "without_removed"]

_SHOWN = 5
"""Texts that are quoted as consent."""


def newly_excluded(
    videos: Sequence[SourceVideo],
    exclusions: Exclusions,
    records: Mapping[str, VideoRecord],
    *,
    require_consent: bool = False,
) -> Iterator[VideoRecord]:
    """Yield a record for each video that lists name, or that lacks required consent, and is not left out already.

    Copies of a file have its id, and are left out with it. A path or a name stands for the
    whole file, every stretch of it. What was left out once stays so in later runs, whatever their lists.

    Args:
        videos: those that a run is about.
        exclusions: the lists; they are applied to videos of earlier runs, too.
        records: the ledger.
        require_consent: leave out videos without recorded consent, those of earlier runs, too.
    """
    known = [record.listing() for record in records.values()]
    originals = {video.video_id: video for video in videos if video.duplicate_of is None}
    reasons = exclusion_reasons((*known, *videos), exclusions)
    lacking = _lacking_consent((*known, *videos)) if require_consent else {}
    for video_id, reason in (lacking | reasons).items():
        record = records.get(video_id)
        code: ErrorCode = "excluded" if video_id in reasons else "no_consent"
        if record is not None and record.status == "excluded" and record.error_code in ("excluded", code):
            continue
        video = originals.get(video_id) or (record.listing() if record is not None else None)
        if video is not None:
            yield VideoRecord.excluded(video, reason, code)


def consenting(videos: Sequence[SourceVideo]) -> list[SourceVideo]:
    """Return the videos whose consent is recorded."""
    lacking = _lacking_consent(videos)
    return [video for video in videos if video.video_id not in lacking]


def consenting_again(videos: Sequence[SourceVideo], records: Mapping[str, VideoRecord]) -> set[str]:
    """Return the ids of videos that an earlier run left out for want of consent, which is recorded now."""
    before = {video_id for video_id, record in records.items() if record.error_code == "no_consent"}
    return before.intersection(video.video_id for video in consenting(videos)) if before else before


def accepted_consent(records: Sequence[VideoRecord]) -> tuple[str, ...]:
    """Return a sentence that quotes the texts that were taken for consent, the most frequent first."""
    texts = Counter(record.consent for record in records if record.status != "excluded" and record.consent is not None)
    some = ", ".join(f"{text!r} ({n:,})" for text, n in texts.most_common(_SHOWN))
    more = f" and {len(texts) - _SHOWN:,} other texts" if len(texts) > _SHOWN else ""
    return (f"Taken for consent: {some}{more}.",) if texts else ()


def _lacking_consent(videos: Sequence[SourceVideo]) -> dict[str, str]:
    """Return by video id why a video has no recorded consent.

    The labels of the file that is analysed hold; but where a copy of it states that there is none, there is none.

    Args:
        videos: a later one of the same id is the newer one.
    """
    stated = {video.video_id: video.labels for video in videos if video.duplicate_of is None}
    stated |= {video.video_id: video.labels for video in videos if video.duplicate_of and not _may_be(video)}
    return {
        video_id: "no consent is recorded"
        if labels.consent is None
        else f"recorded as consent is {labels.consent!r}, which is none"
        for video_id, labels in stated.items()
        if not labels.consents
    }


def _may_be(video: SourceVideo) -> bool:
    """Return whether nothing states that there is no consent."""
    return video.labels.consents is not False


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
