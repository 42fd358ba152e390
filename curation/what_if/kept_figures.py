"""What other limits would keep of a dataset: figures, and how they are shown."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from foundation.json_text import json_text
from foundation.settings import Setting
from foundation.text import TimeUnit, count_text, text_table, time_unit
from manifests.vocabulary import TIERS, Tier

__all__ = ["KeptRow", "Point", "WhatIf", "value_text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRow:
    """What is kept of a source, or of all sources."""

    source: str
    kept_s: dict[Tier, float]
    """Seconds by tier; `vae` includes what is kept in `diffusion`."""
    clips: dict[Tier, int]
    """Clips of the tier; those of `vae` do not include those of `diffusion`."""
    speakers: dict[Tier, int]
    """Speakers with kept seconds in the tier."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One value of each varied setting, and what it keeps."""

    values: tuple[Setting, ...]
    """In the order of `WhatIf.names`."""
    total: KeptRow | None
    """None where the values are not allowed together."""
    sources: tuple[KeptRow, ...] = ()
    unmeasured_videos: int = 0
    """Videos of which nothing is counted, because ticks that were not measured could hold a clip."""
    refusal: str | None = None
    """Why the values are not allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """What other limits would keep of a dataset."""

    dataset: str
    """Folder or address of the dataset."""
    names: tuple[str, ...]
    """Dotted names of the varied settings, one or two."""
    now: tuple[object, ...]
    """Their values in the dataset."""
    changed: tuple[str, ...]
    """A line for each setting that differs from the dataset's under every value."""
    kept_now_s: dict[Tier, float]
    """Seconds that the dataset keeps."""
    videos: int
    """Videos that were measured; copies of others are left out."""
    unknown_speaker_videos: int
    """Of these, videos that name no speaker."""
    raw_s: float
    """Their length, seconds."""
    points: tuple[Point, ...]
    """What each value, or each pair of values, keeps."""
    prepared_again: int
    """How often a video had to be prepared anew because some values choose other faces or other ticks to look at."""
    reused_videos: int = 0
    """Videos that an earlier call had prepared."""

    def json(self) -> str:
        """Return all figures as JSON; durations in seconds."""
        return json_text(asdict(self), indent=2)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return tables for people to read."""
        unit = time_unit(self.raw_s)
        tables = self._list_text(unit) if len(self.names) == 1 else self._grid_text(unit)
        return "\n\n".join([self._head(unit), *tables, *self._notes()])

    def _head(self, unit: TimeUnit) -> str:
        now = ", ".join(f"{name}={value_text(value)}" for name, value in zip(self.names, self.now, strict=True))
        kept = " and ".join(f"{unit.text(self.kept_now_s[tier])} {unit.name} in tier {tier}" for tier in TIERS)
        return (
            f"{count_text(self.videos, 'video')}, {unit.text(self.raw_s)} {unit.name}. The dataset was made with {now} "
            f"and keeps {kept}\n({self._meaning()}; duplicates count once)."
            + (f" Changed for all values: {'; '.join(self.changed)}." if self.changed else "")
        )

    def _meaning(self) -> str:
        ids = " and its IDs" if self._names_speakers else ""
        return f"what is kept in tier vae{ids} includes the diffusion clips; a clip is counted in one tier alone"

    def _list_text(self, unit: TimeUnit) -> list[str]:
        counted = [point for point in self.points if point.total is not None]
        unmeasured = any(point.unmeasured_videos for point in counted)
        header = [self.names[0], *self._columns(unit), *(["videos to measure"] if unmeasured else [])]
        rows = [
            [
                self._value(point),
                *self._cells(point.total, unit),
                *([f"{point.unmeasured_videos:,}"] if unmeasured else []),
            ]
            for point in counted
            if point.total is not None
        ]
        tables = [f"What each value keeps:\n{text_table(header, rows, numeric=[True] * len(header))}"]
        if any(len(point.sources) > 1 for point in counted):
            header = ["source", self.names[0], *self._columns(unit)]
            names = [row.source for row in counted[0].sources]
            rows = [
                [source, self._value(point), *self._cells(point.sources[place], unit)]
                for place, source in enumerate(names)
                for point in counted
            ]
            numeric = [False, *[True] * (len(header) - 1)]
            tables.append(f"By source:\n{text_table(header, rows, numeric=numeric)}")
        return tables

    @property
    def _names_speakers(self) -> bool:
        return self.unknown_speaker_videos < self.videos

    def _columns(self, unit: TimeUnit) -> list[str]:
        counts = ("clips", "IDs") if self._names_speakers else ("clips",)
        return [f"{what}, {tier}" for what in (f"{unit.name} kept", *counts) for tier in TIERS]

    def _cells(self, row: KeptRow, unit: TimeUnit) -> list[str]:
        counts = (row.clips, row.speakers) if self._names_speakers else (row.clips,)
        return [*(unit.text(row.kept_s[tier]) for tier in TIERS), *(f"{of[tier]:,}" for of in counts for tier in TIERS)]

    def _value(self, point: Point) -> str:
        return value_text(point.values[0]) + (" (now)" if point.values == self.now and not self.changed else "")

    def _grid_text(self, unit: TimeUnit) -> list[str]:
        def kept_in(tier: Tier) -> str:
            return self._grid(f"{unit.name} kept in tier {tier}", lambda row: unit.text(row.kept_s[tier]))

        clips = self._grid("Clips of both tiers", lambda row: f"{sum(row.clips.values()):,}")
        speakers = [self._grid("Speakers in any tier", lambda row: f"{max(row.speakers.values()):,}")]
        return [*map(kept_in, TIERS), clips, *(speakers if self._names_speakers else []), *self._unmeasured_grid()]

    def _grid(self, title: str, cell: Callable[[KeptRow], str]) -> str:
        return self._matrix(title, lambda point: "-" if point.total is None else cell(point.total))

    def _unmeasured_grid(self) -> list[str]:
        if not any(point.unmeasured_videos for point in self.points):
            return []
        return [self._matrix("Videos to measure", lambda point: f"{point.unmeasured_videos:,}")]

    def _matrix(self, title: str, cell: Callable[[Point], str]) -> str:
        """Return a table with a row for each value of the first setting and a column for each of the second."""
        cells = {tuple(map(value_text, point.values)): cell(point) for point in self.points}
        firsts, seconds = (list(dict.fromkeys(key[place] for key in cells)) for place in range(2))
        header = [self.names[0], *(f"{second}" for second in seconds)]
        rows = [[first, *(cells[first, second] for second in seconds)] for first in firsts]
        table = text_table(header, rows, numeric=[True] * len(header))
        return f"{title}; columns: {self.names[1]}\n{table}"

    def _notes(self) -> list[str]:
        notes = []
        if self.unknown_speaker_videos:
            add = "adds" if self.unknown_speaker_videos == 1 else "add"
            notes.append(
                f"{count_text(self.unknown_speaker_videos, 'video')} without a speaker's name, which {add} no speaker."
            )
        unmeasured = [point for point in self.points if point.unmeasured_videos]
        if unmeasured:
            most = max(point.unmeasured_videos for point in unmeasured)
            notes.append(
                f"Up to {count_text(most, 'video')} would have to be measured further for some of the values: ticks "
                "that were not looked at could hold a clip under them. Nothing of them is counted there; "
                "`gaia-curate run` with such a limit, or with analysis.every_tick=true, and a new --out measures them."
            )
        if self.prepared_again:
            times = "once" if self.prepared_again == 1 else f"{self.prepared_again:,} times"
            notes.append(
                f"Exact, slowly: videos were prepared anew {times}, for values that choose other "
                "faces or other ticks to look at."
            )
        if self.reused_videos:
            reused = count_text(self.reused_videos, "video")
            notes.append(f"{reused} had been prepared by an earlier call (--no-cache prepares all anew).")
        refused = [point for point in self.points if point.refusal]
        if refused:
            notes.append(f"- : not allowed together, such as {self._named(refused[0])}: {refused[0].refusal}")
        return notes

    def _named(self, point: Point) -> str:
        return ", ".join(f"{name}={value_text(value)}" for name, value in zip(self.names, point.values, strict=True))


def value_text(value: object) -> str:
    """Return the value of a setting for people.

    >>> value_text(35.0), value_text("nothing")
    ('35', 'nothing')
    """
    return f"{value:g}" if isinstance(value, float) else str(value)
