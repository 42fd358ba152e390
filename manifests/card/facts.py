"""What a card says of a dataset, counted from its tables."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manifests.card.stored_tables import StoredTable, stored_tables
from manifests.files.label_text import states_consent
from manifests.files.tables import read_table
from manifests.packing.one_state import Counted, counted_rows, in_one_state
from manifests.record import DatasetRecord, read_dataset
from manifests.reports.group_rows import GroupStatistics
from manifests.reports.group_shares import group_statistics
from manifests.reports.statistics import Statistics, statistics
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import SPLITS, TIERS

__all__ = ["CardFacts", "LicenceRow", "card_facts"]

_GROUPS = ("gender", "age", "skin_type", "language")


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenceRow:
    """Clips of a source under one licence."""

    source: str
    licence: str | None
    """As the source states it; None: it does not."""
    clips: int
    kept_s: float
    consenting: int
    """Clips with recorded consent of the person."""
    refused: int
    """Clips of which the source states that there is no consent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """Everything that a card says."""

    name: str
    record: DatasetRecord
    statistics: Statistics
    licences: tuple[LicenceRow, ...]
    splits: Mapping[str, int]
    """Number of clips of each split that has any."""
    schemes: tuple[str, ...]
    """Schemes of the landmarks."""
    languages: Mapping[str, int]
    """Number of clips by language, as far as it is recorded."""
    groups: tuple[GroupStatistics, ...]
    """By each group of people that is recorded for a video or more."""
    tables: Mapping[str, StoredTable]
    has_descriptors: bool


def card_facts(dataset: Path) -> CardFacts:
    """Count what a card says.

    Raises:
        DatasetError: `dataset` is no dataset, or a table cannot be read.
        ChangingDatasetError: a command changes what is counted.
    """
    return in_one_state(dataset, lambda counted: _counted(dataset, counted))


def _counted(dataset: Path, counted: Counted) -> CardFacts:
    record = read_dataset(dataset)
    columns = ["video_id", "source", "licence", "consent", "language", "split", "n_frames", "landmark_scheme"]
    clips = counted_rows(read_table(dataset, "clips", columns), counted).to_pylist()
    videos = read_table(dataset, "videos", list(_GROUPS))
    known = [name for name in _GROUPS if videos[name].null_count < len(videos)]
    sums: dict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
    for clip in clips:
        row = sums[clip["source"], clip["licence"]]
        consent = states_consent(clip["consent"])
        row.update(clips=1, frames=clip["n_frames"], consenting=consent is True, refused=consent is False)
    splits = Counter(clip["split"] for clip in clips)
    return CardFacts(
        name=dataset.name,
        record=record,
        statistics=statistics(dataset),
        licences=tuple(
            LicenceRow(
                source=source,
                licence=licence,
                clips=row["clips"],
                kept_s=row["frames"] / float(TICK_RATE_HZ),
                consenting=row["consenting"],
                refused=row["refused"],
            )
            for (source, licence), row in sorted(sums.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ),
        splits={name: splits[name] for name in SPLITS if splits[name]},
        schemes=tuple(sorted({clip["landmark_scheme"] for clip in clips})),
        languages=dict(Counter(clip["language"] for clip in clips if clip["language"] is not None).most_common()),
        groups=tuple(group_statistics(dataset, name) for name in known) if _has_seconds(record) else (),
        tables=stored_tables(dataset),
        has_descriptors=record.totals.descriptors is not False,
    )


def _has_seconds(record: DatasetRecord) -> bool:
    return record.totals.hours_raw > 0.0 or any(record.totals.hours_kept[tier] for tier in TIERS)
