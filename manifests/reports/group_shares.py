"""Statistics by group, counted: hours offered and kept, the share dropped, and rules that treat groups unlike."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.array_types import Float64Array, Int64Array
from foundation.errors import UsageError
from manifests.files.tables import read_table
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.reports.group_rows import ERROR_RATE, GroupRow, GroupStatistics, RuleComparison, Share
from manifests.reports.unlike_groups import LEAST_UNITS, adjusted, chances, interval
from manifests.vocabulary import GROUPINGS, OUTCOMES, TIERS

__all__ = ["group_statistics"]

_NOT_OFFERED = ("trimmed", "not_asked")
"""Outcomes of seconds that nobody asked for."""

_NO_RULE = (*_NOT_OFFERED, "kept", "undecodable")

_AGES = ((18, "under 18"), (31, "18 to 30"), (46, "31 to 45"), (61, "46 to 60"), (1000, "over 60"))
"""Groups of ages in years: the first age that is no longer in a group, and its name."""


def group_statistics(dataset: Path, by: str) -> GroupStatistics:
    """Compare what is kept of groups of people.

    Ages in years are grouped by decades and a half. Spellings that differ in capitals are one group.

    Args:
        dataset: the folder or address.
        by: a name of `GROUPINGS`.

    Raises:
        UsageError: `by` is none of them.
        DatasetError: a table cannot be read.
        ChangingDatasetError: a command has begun to remove what is counted.
    """
    if by not in GROUPINGS:
        raise UsageError(f"videos cannot be grouped by {by!r}; give one of {', '.join(GROUPINGS)}")
    return in_one_state(dataset, lambda counted: _compared(dataset, by, counted))


@dataclass(frozen=True, slots=True)
class _Units:
    """Seconds of people, and of videos whose speaker is not known."""

    group: list[str | None]
    source: list[str]
    seconds: Float64Array
    """(U, C) seconds."""
    columns: Sequence[tuple[str, str]]
    """(C,) tier and outcome of each column."""

    def of(self, tier: str, outcomes: Sequence[str] | None = None, without: Sequence[str] = ()) -> Float64Array:
        """Return (U,) the seconds of a tier with one of these outcomes; None: with any but `without`."""
        chosen = [
            number
            for number, (own, outcome) in enumerate(self.columns)
            if own == tier and (outcome not in without if outcomes is None else outcome in outcomes)
        ]
        return np.asarray(self.seconds[:, chosen].sum(axis=1))


def _compared(dataset: Path, by: str, counted: Counted) -> GroupStatistics:
    stated = [] if by == "language_detected" else [by]
    names = list(dict.fromkeys(["video_id", "source", "speaker_id", "duplicate_of", *stated]))
    videos = [row for row in read_table(dataset, "videos", names).to_pylist() if row["duplicate_of"] is None]
    if not stated:
        heard = _languages(dataset)
        videos = [row | {by: heard.get(row["video_id"])} for row in videos]
    spelling = _spellings([row[by] for row in videos])
    group_of = {row["video_id"]: _group(by, row[by], spelling) for row in videos}
    spans = counted_rows(read_table(dataset, "spans", ["video_id", "start_s", "end_s", "tier", "outcome"]), counted)
    units = _units(spans, videos, group_of)
    n_videos = Counter(group_of.values())
    groups = sorted(n_videos, key=lambda name: (name is None, _sort_key(by, name)))
    return GroupStatistics(
        by=by,
        groups=tuple(_group_row(name, n_videos[name], units) for name in groups),
        rules=tuple(_comparisons(by, groups, units)),
    )


def _languages(dataset: Path) -> dict[str, str]:
    """Return by video the language that most seconds of its clips are in, of those with one."""
    columns = ["video_id", "start_s", "end_s", "language_detected"]
    seconds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in read_table(dataset, "clips", columns).to_pylist():
        if row["language_detected"] is not None:
            seconds[row["video_id"]][row["language_detected"]] += row["end_s"] - row["start_s"]
    return {video: max(sorted(own), key=own.__getitem__) for video, own in seconds.items()}


def _spellings(values: Sequence[str | None]) -> dict[str, str]:
    """Return the most frequent spelling of each value, by its text without capitals."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for value in values:
        if value is not None:
            counts[value.casefold()][value] += 1
    return {key: max(sorted(own), key=own.__getitem__) for key, own in counts.items()}


def _group(by: str, value: str | None, spelling: dict[str, str]) -> str | None:
    if value is None:
        return None
    if by == "age" and value.isascii() and value.isdigit() and len(value) <= 3:
        return next(name for end, name in _AGES if int(value) < end)
    return spelling[value.casefold()]


def _sort_key(by: str, group: str | None) -> tuple[int, str]:
    names = [name for _, name in _AGES]
    return (names.index(group) if by == "age" and group in names else len(names), group or "")


def _units(spans: pa.Table, videos: Sequence[dict[str, str | None]], group_of: dict[str, str | None]) -> _Units:
    spans = spans.append_column("seconds", pc.subtract(spans["end_s"], spans["start_s"]))
    sums = spans.group_by(["video_id", "tier", "outcome"]).aggregate([("seconds", "sum")]).to_pylist()
    person = {str(row["video_id"]): (str(row["source"]), row["speaker_id"] or f"\0{row['video_id']}") for row in videos}
    sums = [row for row in sums if row["video_id"] in person]
    known = [*OUTCOMES, *sorted({row["outcome"] for row in sums}.difference(OUTCOMES))]
    columns = [(tier, outcome) for tier in TIERS for outcome in known]
    number_of = {column: number for number, column in enumerate(columns)}
    keys = [(group_of[row["video_id"]], *person[row["video_id"]]) for row in sums]
    unit_of = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    seconds = np.zeros((len(unit_of), len(columns)))
    for row, key in zip(sums, keys, strict=True):
        seconds[unit_of[key], number_of[row["tier"], row["outcome"]]] += row["seconds_sum"]
    return _Units([key[0] for key in unit_of], [key[1] for key in unit_of], seconds, columns)


def _group_row(name: str | None, n_videos: int, units: _Units) -> GroupRow:
    own = np.array([group == name for group in units.group], dtype=np.bool_)
    offered = {tier: units.of(tier, without=_NOT_OFFERED)[own] for tier in TIERS}
    kept = {tier: units.of(tier, ["kept"])[own] for tier in TIERS}
    return GroupRow(
        group=name,
        videos=n_videos,
        units=int(own.sum()),
        offered_s={tier: float(offered[tier].sum()) for tier in TIERS},
        kept_s={tier: float(kept[tier].sum()) for tier in TIERS},
        dropped={tier: _share(offered[tier], offered[tier] - kept[tier]) for tier in TIERS},
    )


def _share(offered_s: Float64Array, lost_s: Float64Array) -> Share | None:
    if not offered_s.sum() > 0.0:
        return None
    low, high = interval(offered_s, lost_s) or (None, None)
    return Share(share=float(lost_s.sum() / offered_s.sum()), low=low, high=high)


def _comparisons(by: str, groups: Sequence[str | None], units: _Units) -> list[RuleComparison]:
    size = Counter(units.group)
    compared = [group for group in groups if group is not None and size[group] >= LEAST_UNITS]
    own = np.array([group in compared for group in units.group], dtype=np.bool_)
    losses = [
        (tier, outcome)
        for number, (tier, outcome) in enumerate(units.columns)
        if outcome not in _NO_RULE and units.seconds[own, number].sum() > 0.0
    ]
    if len(compared) < 2 or not losses:
        return []
    offered = np.stack([units.of(tier, without=_NOT_OFFERED)[own] for tier, _ in losses], axis=1)
    lost = np.stack([units.of(tier, [outcome])[own] for tier, outcome in losses], axis=1)
    group = _numbers([name for name, taken in zip(units.group, own, strict=True) if taken], compared)
    sources = sorted(set(units.source))
    stratum = _numbers([name for name, taken in zip(units.source, own, strict=True) if taken], sources)
    chance = adjusted(chances(offered, lost, group, np.zeros_like(stratum)).tolist())
    strict: list[float | None] = [None] * len(losses)
    if by != "source" and len(set(stratum.tolist())) > 1:
        strict = list(adjusted(chances(offered, lost, group, stratum).tolist()))
    result = []
    for number, (tier, outcome) in enumerate(losses):
        sums = [(offered[group == k, number].sum(), lost[group == k, number].sum()) for k in range(len(compared))]
        shares = {
            str(name): float(gone / max(all_s, 1e-12)) for name, (all_s, gone) in zip(compared, sums, strict=True)
        }
        result.append(
            RuleComparison(
                tier=tier,
                rule=outcome,
                shares=shares,
                chance=chance[number],
                chance_within_sources=strict[number],
                unlike=chance[number] <= ERROR_RATE,
            )
        )
    return result


def _numbers(names: Sequence[str | None], known: Sequence[str | None]) -> Int64Array:
    number_of = {name: number for number, name in enumerate(known)}
    return np.array([number_of[name] for name in names], dtype=np.int64)
