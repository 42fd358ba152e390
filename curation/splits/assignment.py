"""Assignment of groups of clips to train, val and test: by hours, and so that people stay where they were.

A group that was assigned before stays on its side. Groups that are new are taken in the order of a hash, and fill val
and test up to the hours that are asked for; the rest is for training. Nobody is divided, so the hours are met to within
half a group.

Two groups that were on different sides may prove to be one: a new video shows the people of both, or people were told
apart for the first time. The whole group is then where a model has seen most of it: in train, else in val. What was
trained on is never tested on.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from curation.splits.groups import CLIP_COLUMNS, clip_groups
from curation.splits.settings import SplitSettings
from foundation.text import count_text, duration_text, shown, text_table, time_unit
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import SPLITS, Split

__all__ = ["Assignment", "EarlierSplits", "Reunion", "assigned_splits"]

_LARGE_SHARE = 0.5

_WORTH_DIVIDING_H = 1.0
"""Nothing is said of the groups of a dataset with fewer hours, of which no split is worth much."""

_NOTHING_TO_TRAIN_ON = (
    "No clip is left to train on: val and test take all of them; `gaia-curate split` with a smaller --val-share and "
    "--test-share divides them anew."
)

_FRAMES_PER_HOUR = float(TICK_RATE_HZ) * 3600.0


_ClipRow = Mapping[str, Any]
"""A row of `clips` with the columns of `groups.CLIP_COLUMNS`."""

_Assigned = tuple[Split, bool]
"""A split, and whether the person or the speaker was known when it was assigned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierSplits:
    """Splits that an earlier command assigned."""

    clips: Mapping[str, _Assigned]
    """By clip id."""
    videos: Mapping[str, frozenset[_Assigned]]
    """By video id, those of its clips: they hold for clips that were cut otherwise then."""

    @classmethod
    def of(cls, clips: pa.Table) -> "EarlierSplits":
        """Return the splits of rows of the table `clips`, with the columns of `groups.CLIP_COLUMNS`."""
        by_clip: dict[str, _Assigned] = {}
        by_video: dict[str, set[_Assigned]] = defaultdict(set)
        for row in clips.select(list(CLIP_COLUMNS)).to_pylist():
            assigned = (row["split"], row["person_id"] is not None or row["speaker_id"] is not None)
            by_clip[row["clip_id"]] = assigned
            by_video[row["video_id"]].add(assigned)
        return cls(clips=by_clip, videos={video: frozenset(splits) for video, splits in by_video.items()})

    def of_group(self, clips: Sequence[str], videos: Collection[str]) -> Split | None:
        """Return the side that a group had; None where it is new, or its videos were assigned one by one to several.

        Args:
            clips: ids of its clips.
            videos: ids of their videos.
        """
        own = {self.clips[clip] for clip in clips if clip in self.clips}
        assigned = own or {one for video in videos for one in self.videos.get(video, ())}
        sure = {split for split, known in assigned if known}
        if sure:
            return min(sure, key=SPLITS.index)  # train, val, test: where a model has seen most of it
        unsure = {split for split, _ in assigned}
        return unsure.pop() if len(unsure) == 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reunion:
    """Group of people or speakers who were on different sides, and are on one now."""

    names: tuple[str, ...]
    """Its people, else its speakers, sorted."""
    hours_before: Mapping[Split, float]
    """Hours of its earlier clips by their side before."""
    now: Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Splits of all clips of a dataset."""

    splits: Mapping[str, Split] = field(default_factory=dict)
    """By clip id."""
    hours: Mapping[Split, float] = field(default_factory=dict)
    """Hours of each split, of all clips."""
    largest_group_h: float = 0.0
    """Hours of the largest group, which is never divided."""
    moved_h: Mapping[tuple[Split, Split], float] = field(default_factory=dict)
    """Hours that changed sides, by the side before and the side now."""
    reunions: tuple[Reunion, ...] = ()
    """Groups of people or speakers who had been on different sides."""
    n_unknown: int = 0
    """Clips whose person and speaker are not known, while the persons of others are."""

    def text(self) -> str:
        """Return hours per split, and what changed sides, for people to read."""
        total = sum(self.hours.values())
        if not total:
            return "There are no clips to divide."
        unit = time_unit(total * 3600.0)
        rows = [[name, unit.text(hours * 3600.0), f"{hours / total:.1%}"] for name, hours in self.hours.items()]
        table = text_table(["split", unit.name, "share"], rows, numeric=[False, True, True])
        return "\n".join([table, *map(shown, self.notes())])

    def notes(self) -> tuple[str, ...]:
        """Return sentences on what changed sides, on an empty split train, and on a large group; else none."""
        total = sum(self.hours.values())
        notes = [_NOTHING_TO_TRAIN_ON] if total and not self.hours.get("train") else []
        notes += [_reunion_text(reunion) for reunion in self.reunions]
        notes += [
            f"{duration_text(hours * 3600.0)} of clips moved from {side} to {now}."
            for (side, now), hours in self.moved_h.items()
        ]
        if self.reunions or self.moved_h:
            notes.append("Judge models that were trained before on clips that have not moved.")
        if total >= _WORTH_DIVIDING_H and self.largest_group_h > _LARGE_SHARE * total:
            share = self.largest_group_h / total
            notes.append(f"One group of people who belong together has {share:.0%} of the hours; it is not divided.")
        if self.n_unknown:
            notes.append(
                f"{count_text(self.n_unknown, 'clip shows', 'clips show')} nobody known; such clips are divided by "
                "their videos. `gaia-curate identities` looks at those that are new."
            )
        return tuple(notes)


def assigned_splits(
    clips: pa.Table, earlier: EarlierSplits, copies: Mapping[str, str], settings: SplitSettings
) -> Assignment:
    """Return the split of every clip, so that no person, speaker or group of copies is in two.

    Args:
        clips: all rows of the table `clips`, with the columns of `groups.CLIP_COLUMNS`.
        earlier: what is assigned already.
        copies: by video id, the group of near-duplicate videos that the video belongs to.
        settings: the hours asked for.
    """
    rows = clips.select(list(CLIP_COLUMNS)).to_pylist()
    groups = [[rows[number] for number in group] for group in clip_groups(clips, copies)]
    groups.sort(key=lambda group: _hash(min(row["video_id"] for row in group)))
    hours = [sum(row["n_frames"] for row in group) / _FRAMES_PER_HOUR for group in groups]
    sides = [
        earlier.of_group([row["clip_id"] for row in group], {row["video_id"] for row in group}) for group in groups
    ]
    filled = _filled(sides, hours, settings)
    per_side: Counter[Split] = Counter()
    moved: Counter[tuple[Split, Split]] = Counter()
    for group, side, length in zip(groups, filled, hours, strict=True):
        per_side[side] += length
        for row in group:
            was, _ = earlier.clips.get(row["clip_id"], (side, True))
            if was != side:
                moved[was, side] += row["n_frames"] / _FRAMES_PER_HOUR
    reunions = (_reunion(group, earlier, side) for group, side in zip(groups, filled, strict=True))
    return Assignment(
        splits={row["clip_id"]: side for group, side in zip(groups, filled, strict=True) for row in group},
        hours={name: per_side[name] for name in SPLITS},
        largest_group_h=max(hours, default=0.0),
        moved_h=dict(moved),
        reunions=tuple(reunion for reunion in reunions if reunion is not None),
        n_unknown=_n_unknown(rows),
    )


def _n_unknown(rows: Sequence[_ClipRow]) -> int:
    if all(row["person_id"] is None for row in rows):
        return 0
    return sum(row["person_id"] is None and row["speaker_id"] is None for row in rows)


def _filled(sides: Sequence[Split | None], hours: Sequence[float], settings: SplitSettings) -> list[Split]:
    """Return the sides of all groups: those without one fill val and test, in their order, as long as that is nearer.

    Args:
        sides: of the groups, None for those to assign.
        hours: of the groups.
        settings: the shares asked for.
    """
    total = sum(hours)
    asked: dict[Split, float] = {"val": settings.val_share * total, "test": settings.test_share * total}
    missing = dict(asked)
    for side, length in zip(sides, hours, strict=True):
        if side in missing:
            missing[side] -= length
    filled: list[Split] = []
    for side, length in zip(sides, hours, strict=True):
        chosen: Split = side or "train"
        if side is None:
            emptiest = max(missing, key=lambda name: missing[name] / asked[name] if asked[name] else 0.0)
            if length <= 2.0 * missing[emptiest]:  # else the hours would be further off than without the group
                chosen = emptiest
                missing[emptiest] -= length
        filled.append(chosen)
    return filled


def _reunion(group: Sequence[_ClipRow], earlier: EarlierSplits, now: Split) -> Reunion | None:
    hours: Counter[Split] = Counter()
    for row in group:
        split, known = earlier.clips.get(row["clip_id"], (now, False))
        if known:
            hours[split] += row["n_frames"] / _FRAMES_PER_HOUR
    if len(hours) < 2:
        return None
    people, speakers = ({row[name] for row in group if row[name] is not None} for name in ("person_id", "speaker_id"))
    return Reunion(names=tuple(sorted(people or speakers)), hours_before=dict(hours), now=now)


def _reunion_text(reunion: Reunion) -> str:
    sides = " and ".join(f"{duration_text(hours * 3600.0)} in {name}" for name, hours in reunion.hours_before.items())
    some = ", ".join(reunion.names[:4]) + (", ..." if len(reunion.names) > 4 else "")
    return f"{some}: {sides} proved to be one group, which is in {reunion.now} now."


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
