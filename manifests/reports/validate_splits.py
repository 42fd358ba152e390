"""Validation of the split: nobody, and no recording, is on two sides of it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from manifests.files.tables import read_table
from manifests.reports.validate_clips import Problem
from manifests.vocabulary import SPLITS

__all__ = ["split_problems"]

_REMEDY = "run `gaia-curate duplicates`, which divides the clips again, and do not train on them before"

_NAMED = 2
"""Clips that a problem names of each side."""


def split_problems(dataset: Path) -> Iterator[Problem]:
    """Yield each person, speaker, video without either, and group of near-duplicates that has clips in several splits.

    Raises:
        DatasetError: a table cannot be read.
    """
    videos = read_table(dataset, "videos", ["video_id", "duplicate_group"]).to_pylist()
    copies = {row["video_id"]: row["duplicate_group"] for row in videos}
    sides: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    columns = ["clip_id", "video_id", "speaker_id", "person_id", "split"]
    for clip in read_table(dataset, "clips", columns).to_pylist():
        names = {
            "person": clip["person_id"],
            "speaker": clip["speaker_id"],
            "group of near-duplicates": copies.get(clip["video_id"]),
        }
        if clip["person_id"] is None and clip["speaker_id"] is None:
            names["video"] = clip["video_id"]
        for kind, name in names.items():
            if name is not None:
                sides[kind, name][clip["split"]].append(clip["clip_id"])
    for (kind, name), clips_of in sorted(sides.items()):
        if len(clips_of) > 1:
            each = [_side(split, sorted(clips_of[split])) for split in SPLITS if split in clips_of]
            what = f"the {kind} is in several splits: {' and '.join(each)}"
            yield Problem(file="clips", row=name, what=what, remedy=_REMEDY)


def _side(split: str, clips: list[str]) -> str:
    more = f" and {len(clips) - _NAMED} more" if len(clips) > _NAMED else ""
    return f"{split} ({', '.join(clips[:_NAMED])}{more})"
