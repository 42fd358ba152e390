"""Differences of two datasets, or of one under two settings: figures, and how they are shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from curation.differences.changes import Change, Direction
from foundation.json_text import json_text
from foundation.text import TimeUnit, clock_text, count_text, printable, text_table, time_unit
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["ChangedVideo", "Differences", "OnlyThere", "Side"]

_MOST_VIDEOS = 20
"""Videos that the text lists, those with the most changes; JSON has all."""

_DIRECTIONS: tuple[Direction, ...] = ("entered", "left")


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two: a dataset with its settings."""

    name: str
    """Folder of the dataset, and the changes of its settings."""
    videos: int
    """Videos that were measured."""
    raw_s: float
    kept_s: dict[Tier, float]
    """Seconds by tier; `vae` includes what is kept in `diffusion`."""
    clips: int
    """Clips that were decided, rendered or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedVideo:
    """A video of which something entered or left."""

    video_id: str
    path: str
    """As the second names it, or the first where it has no such video."""
    source: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlyThere:
    """Videos of a source that only one of the two has."""

    side: int
    """0: the first, 1: the second."""
    source: str
    videos: int
    raw_s: float
    kept_s: dict[Tier, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """What one dataset keeps and another does not."""

    sides: tuple[Side, Side]
    """What the first and the second keep."""
    settings: tuple[str, ...]
    """A line per setting that differs: the second's value, and the first's."""
    videos: tuple[ChangedVideo, ...]
    """Those with a change, the largest change first."""
    common_videos: int
    """Videos of equal content."""
    moved_videos: int
    """Of these, those with another path or source."""
    only_there: tuple[OnlyThere, ...]
    """Videos that only one of the two has."""
    clips: dict[str, int]
    """Decided clips that `both` have, and that the `first` or the `second` has alone, by video, first and last tick."""
    unmeasured: tuple[str, ...] = ()
    """Paths of videos that the second settings could not decide, because ticks that could hold a clip were not
    measured; nothing of them is counted on either side."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs but maybe settings that change nothing."""
        return not (self.videos or self.only_there or self.unmeasured or self.clips["first"] or self.clips["second"])

    def json(self) -> str:
        """Return all differences as JSON; times in seconds."""
        videos = [
            {
                "video_id": video.video_id,
                "path": video.path,
                "source": video.source,
                "changes": [
                    {
                        "tier": change.tier,
                        "change": change.direction,
                        "start_s": change.first_tick / float(TICK_RATE_HZ),
                        "end_s": change.end_tick / float(TICK_RATE_HZ),
                        "outcome": change.outcome,
                        "failed": list(change.failed),
                    }
                    for change in video.changes
                ],
            }
            for video in self.videos
        ]
        return json_text({"equal": self.equal, **asdict(self), "videos": videos}, indent=2)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return tables for people to read."""
        unit = time_unit(max(side.raw_s for side in self.sides))
        parts = [self._sides_text(unit), self._settings_text()]
        if self.equal:
            parts.append("Nothing differs: both keep the same ticks of the same videos, in the same clips.")
        if self.only_there:
            parts.append(self._only_text(unit))
        if self.videos:
            parts += [self._reasons_text(), self._videos_text()]
        if self.unmeasured:
            parts.append(self._unmeasured_text())
        return "\n\n".join(parts)

    def _sides_text(self, unit: TimeUnit) -> str:
        header = [
            "",
            "dataset",
            "videos",
            f"{unit.name} raw",
            *(f"{unit.name} kept, {tier}" for tier in TIERS),
            "decided clips",
        ]
        rows = [
            [name, side.name, f"{side.videos:,}", unit.text(side.raw_s)]
            + [unit.text(side.kept_s[tier]) for tier in TIERS]
            + [f"{side.clips:,}"]
            for name, side in zip(("first", "second"), self.sides, strict=True)
        ]
        moved = f" ({self.moved_videos:,} under another path or source)" if self.moved_videos else ""
        return (
            f"{text_table(header, rows, numeric=[False, False, *[True] * 5])}\n"
            f"Equal content: {count_text(self.common_videos, 'video')}{moved}. Decided clips, rendered or not: "
            f"{self.clips['both']:,} in both, {self.clips['first']:,} in the first alone, {self.clips['second']:,} in "
            "the second alone."
        )

    def _settings_text(self) -> str:
        if not self.settings:
            return "Settings: equal."
        return "Settings of the second:\n" + "\n".join(f"  {printable(line)}" for line in self.settings)

    def _only_text(self, unit: TimeUnit) -> str:
        rows = [
            [("first", "second")[one.side], one.source, f"{one.videos:,}", unit.text(one.raw_s)]
            + [unit.text(one.kept_s[tier]) for tier in TIERS]
            for one in self.only_there
        ]
        header = ["only in", "source", "videos", f"{unit.name} raw", *(f"{unit.name} kept, {tier}" for tier in TIERS)]
        table = text_table(header, rows, numeric=[False, False, *[True] * 4])
        return f"Videos that only one of them has:\n{table}"

    def _reasons_text(self) -> str:
        """Return a table of what entered and left, by tier and by what kept it out."""
        ticks: Counter[tuple[Tier, Direction, str]] = Counter()
        videos: dict[tuple[Tier, Direction, str], set[str]] = {}
        for video in self.videos:
            for change in video.changes:
                key = (change.tier, change.direction, change.outcome)
                ticks[key] += change.n_ticks
                videos.setdefault(key, set()).add(video.video_id)
        seconds = time_unit(max(ticks.values()) / float(TICK_RATE_HZ))
        rows = [
            [*key, seconds.text(ticks[key] / float(TICK_RATE_HZ)), f"{len(videos[key]):,}"]
            for key in sorted(ticks, key=lambda key: (TIERS.index(key[0]), _DIRECTIONS.index(key[1]), -ticks[key]))
        ]
        header = ["tier", "change", "why not in the other", seconds.name, "videos"]
        return f"What entered and what left:\n{text_table(header, rows, numeric=[False, False, False, True, True])}"

    def _videos_text(self) -> str:
        shown = self.videos[:_MOST_VIDEOS]
        header = [
            "video",
            *(f"s {direction}, {tier}" for tier in TIERS for direction in _DIRECTIONS),
            "most by",
            "such as",
        ]
        rows = []
        for video in shown:
            sums = [_seconds(video.changes, tier, direction) for tier in TIERS for direction in _DIRECTIONS]
            by = Counter[str]()
            for change in video.changes:
                by[change.outcome] += change.n_ticks
            longest = max(video.changes, key=lambda change: change.n_ticks)
            first_s, end_s = (tick / float(TICK_RATE_HZ) for tick in (longest.first_tick, longest.end_tick))
            example = f"{clock_text(first_s)} to {clock_text(end_s)}"
            rows.append([video.path, *(f"{value:,.1f}" for value in sums), by.most_common(1)[0][0], example])
        table = text_table(header, rows, numeric=[False, *[True] * 4, False, False])
        left = len(self.videos) - len(shown)
        more = f"\nMore that changed: {count_text(left, 'video')}; --json lists all." if left else ""
        return f"By video, the largest change first:\n{table}{more}"

    def _unmeasured_text(self) -> str:
        return (
            f"{count_text(len(self.unmeasured), 'video')} would have to be measured further, such as "
            f"{self.unmeasured[0]}: ticks that were not looked at could hold a clip under the second settings. "
            "Nothing of them is counted above."
        )


def _seconds(changes: Sequence[Change], tier: str, direction: Direction) -> float:
    ticks = sum(one.n_ticks for one in changes if one.tier == tier and one.direction == direction)
    return ticks / float(TICK_RATE_HZ)
