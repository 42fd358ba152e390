"""Assignment of groups of clips to train, val and test: by hours, and so that people stay where they were.

A group that was assigned before stays on its side. Groups that are new are taken in the order of a hash, and fill val
and test up to the hours that are asked for; the rest is for training. Nobody is divided, so the hours are met to within
half a group.

Two groups that were on different sides may prove to be one: a new video shows the people of both, or people were told
apart for the first time. The whole group is then where a model has seen most of it: in train, else in val. What was
trained on is never tested on.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from curation.splits.groups import clip_groups
from curation.splits.settings import SplitSettings
from foundation.text import shown, text_table
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import SPLITS, Split

__all__ = ["Assignment", "Reunion", "assigned_splits"]

_FRAMES_PER_HOUR = float(TICK_RATE_HZ) * 3600.0


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

    splits: Mapping[str, Split]
    """By clip id."""
    hours: Mapping[Split, float]
    """Hours of each split, of all clips."""
    largest_group_h: float
    """Hours of the largest group, which is never divided."""
    moved_h: Mapping[tuple[Split, Split], float]
    """Hours that changed sides, by the side before and the side now."""
    reunions: tuple[Reunion, ...]
    """Groups of people or speakers who had been on different sides."""

    def text(self) -> str:
        """Return hours per split, and what changed sides, for people to read."""
        total = sum(self.hours.values())
        rows = [[name, f"{h:.2f}", f"{h / total:.1%}" if total else "-"] for name, h in self.hours.items()]
        lines = [text_table(["split", "hours", "share"], rows, numeric=[False, True, True])]
        if self.largest_group_h > 0.2 * total:
            lines.append(f"One group, which is never divided, has {self.largest_group_h / total:.0%} of the hours.")
        lines += [f"{hours:.2f} h moved from {side} to {now}." for (side, now), hours in self.moved_h.items()]
        lines += [_reunion_text(reunion) for reunion in self.reunions]
        return "\n".join(map(shown, lines)) if total else "There are no clips to divide."


def assigned_splits(
    clips: pa.Table,
    before: Mapping[str, tuple[Split, bool]],
    copies: Mapping[str, str],
    settings: SplitSettings,
) -> Assignment:
    """Return the split of every clip, so that no person, speaker or group of copies is in two.

    Args:
        clips: all rows of the table `clips`, with the columns of `groups.CLIP_COLUMNS`.
        before: by clip id, the split that an earlier command assigned, and whether person or speaker was known then.
        copies: by video id, the group of near-duplicate videos that the video belongs to.
        settings: the hours asked for.
    """
    clip_ids, videos, frames = (clips[name].to_pylist() for name in ("clip_id", "video_id", "n_frames"))
    groups = sorted(clip_groups(clips, copies), key=lambda rows: _hash(min(videos[row] for row in rows)))
    hours = [sum(frames[row] for row in rows) / _FRAMES_PER_HOUR for rows in groups]
    sides = [_side_before([before[clip_ids[row]] for row in rows if clip_ids[row] in before]) for rows in groups]
    filled = _filled(sides, hours, settings)
    per_side: Counter[Split] = Counter()
    moved: Counter[tuple[Split, Split]] = Counter()
    for rows, side, length in zip(groups, filled, hours, strict=True):
        per_side[side] += length
        for row in rows:
            was, _ = before.get(clip_ids[row], (side, True))
            if was != side:
                moved[was, side] += frames[row] / _FRAMES_PER_HOUR
    reunions = (_reunion(clips, rows, before, side) for rows, side in zip(groups, filled, strict=True))
    return Assignment(
        splits={clip_ids[row]: side for rows, side in zip(groups, filled, strict=True) for row in rows},
        hours={name: per_side[name] for name in SPLITS},
        largest_group_h=max(hours, default=0.0),
        moved_h=dict(moved),
        reunions=tuple(reunion for reunion in reunions if reunion is not None),
    )


def _side_before(assigned: Sequence[tuple[Split, bool]]) -> Split | None:
    """Return the side that a group had; None where it is new, or its videos were assigned one by one to several."""
    sure = {split for split, known in assigned if known}
    if sure:
        return min(sure, key=SPLITS.index)  # train, val, test: what a model has seen most of
    unsure = {split for split, _ in assigned}
    return unsure.pop() if len(unsure) == 1 else None


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


def _reunion(
    clips: pa.Table, rows: Sequence[int], before: Mapping[str, tuple[Split, bool]], now: Split
) -> Reunion | None:
    sure = [row for row in rows if before.get(clips["clip_id"][row].as_py(), (now, False))[1]]
    hours: Counter[Split] = Counter()
    for row in clips.take(sure).to_pylist():
        hours[before[row["clip_id"]][0]] += row["n_frames"] / _FRAMES_PER_HOUR
    if len(hours) < 2:
        return None
    own = clips.take(rows).to_pylist()
    people, speakers = ({row[name] for row in own if row[name] is not None} for name in ("person_id", "speaker_id"))
    return Reunion(names=tuple(sorted(people or speakers)), hours_before=dict(hours), now=now)


def _reunion_text(reunion: Reunion) -> str:
    sides = " and ".join(f"{hours:.2f} h in {name}" for name, hours in reunion.hours_before.items())
    some = ", ".join(reunion.names[:4]) + (", ..." if len(reunion.names) > 4 else "")
    return f"{some}: {sides} proved to be one group, which is in {reunion.now} now."


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
