"""Validation of who is who: the rows of `identities`, and the persons of clips, which follow from them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from manifests.files.tables import read_table
from manifests.reports.validate_clips import Problem
from manifests.schema.identities import IDENTITIES

__all__ = ["identity_problems"]

_AGAIN = "run `gaia-curate identities` again"


def identity_problems(dataset: Path) -> Iterator[Problem]:
    """Yield rows of `identities` that cannot be, and clips whose person is not the one of their row.

    Raises:
        DatasetError: a table cannot be read.
    """
    columns = ["video_id", "track_id", "clip_ids", "person_id", "person_confidence"]
    rows = read_table(dataset, IDENTITIES.name, columns).to_pylist()
    videos = read_table(dataset, "videos", ["video_id", "status", "duplicate_of"]).to_pylist()
    known = {row["video_id"] for row in videos if row["status"] == "ok" and row["duplicate_of"] is None}
    for (video_id, track_id), count in Counter((row["video_id"], row["track_id"]) for row in rows).items():
        name = f"{video_id} track {track_id}"
        if count > 1:
            yield Problem(file=IDENTITIES.name, row=name, what=f"has {count} rows", remedy=_AGAIN)
        if video_id not in known:
            yield Problem(file=IDENTITIES.name, row=name, what="is of no analysed video", remedy=_AGAIN)
    for row in rows:
        if not 0.0 <= row["person_confidence"] <= 1.0:
            what = f"person_confidence is {row['person_confidence']}, which is no chance"
            yield Problem(
                file=IDENTITIES.name, row=f"{row['video_id']} track {row['track_id']}", what=what, remedy=_AGAIN
            )
    expected = {
        (row["video_id"], clip_id): (row["person_id"], row["person_confidence"])
        for row in rows
        for clip_id in row["clip_ids"]
    }
    clips = read_table(dataset, "clips", ["clip_id", "video_id", "person_id", "person_confidence"]).to_pylist()
    for clip in clips:
        person = expected.pop((clip["video_id"], clip["clip_id"]), (None, None))
        if (clip["person_id"], clip["person_confidence"]) != person:
            what = f"person_id is {clip['person_id']}, `identities` says {person[0]}"
            yield Problem(file="clips", row=clip["clip_id"], what=what, remedy=_AGAIN)
    for _, clip_id in sorted(expected):
        what = f"names the clip {clip_id}, which `clips` does not have, or names it twice"
        yield Problem(file=IDENTITIES.name, row=clip_id, what=what, remedy=_AGAIN)
