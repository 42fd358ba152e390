"""Clips of people that a run does not learn from, fixed for the whole run, to measure a network on while it trains."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace

from foundation.text import count_text
from manifests.vocabulary import Split
from training.data.fair_shares import hash_order, people_of
from training.data.selection import ClipIndex, SelectionError, select_clips

__all__ = ["HeldOut", "NothingHeldOutError", "held_out"]

_OFF = "train.validate_every=null leaves validation out without a word"


class NothingHeldOutError(SelectionError):
    """There is no clip of other people; the message says why, and how to get some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Clips of people that a run does not learn from."""

    index: ClipIndex
    """All clips of the split."""
    clips: tuple[int, ...]
    """Numbers of those that are measured: each person once before anyone is there twice, in an order by hashes."""
    people: tuple[str, ...]
    """Who is in each."""
    notes: tuple[str, ...]
    """Sentences on clips that were left out."""

    def identity(self, *of_what: object) -> str:
        """Return a digest of the clips and of what else decides what is measured."""
        rows = self.index.rows.select(["clip_id", "n_frames", "mp4_size"]).take(list(self.clips)).to_pylist()
        return hashlib.sha256(json.dumps([rows, *map(str, of_what)], allow_nan=False).encode()).hexdigest()[:16]


def held_out(learned: ClipIndex, split: Split, *, count: int, min_frames: int = 1) -> HeldOut:
    """Return clips of a split that fulfil the conditions of a run's selection, of people that are not in it.

    Args:
        learned: what the run learns from.
        split: whose clips are measured.
        count: clips, at most.
        min_frames: of each.

    Raises:
        NothingHeldOutError: no clip is left.
        DatasetError: the dataset is damaged.
    """
    dataset = learned.dataset
    try:
        index = select_clips(
            dataset, replace(learned.config, splits=(split,), hours_subset=None, max_hours_per_person=None)
        )
    except SelectionError as error:
        if "data.splits" not in str(error):
            raise NothingHeldOutError(f"nothing is validated: {error}; {_OFF}") from error
        raise NothingHeldOutError(
            f"nothing is validated: {dataset} has no clips of split {split!r} among those of the settings of data; "
            f"`gaia-curate split` divides a dataset by person, train.validation_split names another split, and {_OFF}"
        ) from error
    if index.landmark_scheme != learned.landmark_scheme:
        raise NothingHeldOutError(
            f"nothing is validated: clips of split {split!r} have landmarks {index.landmark_scheme!r}, and the run "
            f"learns from {learned.landmark_scheme!r}; {_OFF}"
        )
    known, people = set(people_of(learned.rows)), people_of(index.rows)
    of_others = [clip for clip in hash_order(index.rows) if people[clip] not in known]
    left_out = len(index) - len(of_others)
    of_split = count_text(len(index), f"clip of split {split!r} shows", f"clips of split {split!r} show")
    who = f"{left_out} of {of_split} people that the run learns from"
    enough = [clip for clip in of_others if index.n_frames[clip] >= min_frames]
    if not enough:
        reason = who if left_out else f"no clip of split {split!r} has {count_text(min_frames, 'frame')}"
        raise NothingHeldOutError(f"nothing is validated: {reason}; {_OFF}")
    clips = _people_in_turn(enough, people)[:count]
    return HeldOut(
        index=index,
        clips=tuple(clips),
        people=tuple(people[clip] for clip in clips),
        notes=(f"{who}, and are not used in validation",) if left_out else (),
    )


def _people_in_turn(clips: list[int], people: list[str]) -> list[int]:
    """Return clips in another order: the first of each person, then the second of each, and so on.

    >>> _people_in_turn([2, 0, 1, 3], ["a", "b", "a", "a"])
    [2, 1, 0, 3]
    """
    seen: Counter[str] = Counter()
    turn = {}
    for clip in clips:
        turn[clip] = seen[people[clip]]
        seen[people[clip]] += 1
    return sorted(clips, key=turn.__getitem__)
