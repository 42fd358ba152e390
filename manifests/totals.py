"""Totals of a dataset, counted from its tables: what `dataset.json` says of its content."""

from pathlib import Path

import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from manifests.files.descriptor_columns import holds_descriptors
from manifests.files.numbers import Count, Hours
from manifests.files.tables import read_table
from manifests.vocabulary import FAILED_STATUSES, TIERS

__all__ = ["Totals", "no_totals", "totals_of"]


class Totals(BaseModel):
    """Totals of the dataset, counted from its tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    videos: Count
    """Rows of `videos`, failed and duplicate ones included."""
    failed: Count
    """Rows of `videos` whose status is failed or quarantined."""
    excluded: Count
    """Rows of `videos` that were left out: a list of people or videos names them, or no consent is recorded."""
    hours_raw: Hours
    """Hours of the videos that could be read; a duplicate counts once."""
    hours_kept: dict[str, Hours]
    """Hours per tier, from the spans kept; `vae` includes the diffusion clips, for they serve both trainers."""
    clips: Count
    """Rows of `clips`."""
    descriptors: bool | None = None
    """Whether the tables hold descriptors of faces or voices; null where an older version wrote the dataset."""


def totals_of(dataset: Path) -> Totals:
    """Count what the tables of a dataset hold.

    Raises:
        DatasetError: a table cannot be read.
    """
    videos = read_table(dataset, "videos", ["duration_s", "status", "duplicate_of"])
    spans = read_table(dataset, "spans", ["start_s", "end_s", "tier", "outcome"])
    spans = spans.filter(pc.equal(spans["outcome"], "kept"))
    long_s = pc.subtract(spans["end_s"], spans["start_s"])
    kept = {tier: pc.sum(long_s.filter(pc.equal(spans["tier"], tier))).as_py() or 0.0 for tier in TIERS}
    status = videos["status"].to_pylist()
    raw = pc.sum(videos["duration_s"].filter(pc.is_null(videos["duplicate_of"]))).as_py() or 0.0
    return Totals(
        videos=len(videos),
        failed=sum(status.count(one) for one in FAILED_STATUSES),
        excluded=status.count("excluded"),
        hours_raw=_hours(raw),
        hours_kept={tier: _hours(seconds) for tier, seconds in kept.items()},
        clips=len(read_table(dataset, "clips", ["clip_id"])),
        descriptors=holds_descriptors(dataset),
    )


def no_totals() -> Totals:
    """Return the totals of a dataset without videos."""
    return Totals(
        videos=0, failed=0, excluded=0, hours_raw=0.0, hours_kept=dict.fromkeys(TIERS, 0.0), clips=0, descriptors=False
    )


def _hours(seconds: float) -> float:
    return round(seconds / 3600, 9)  # to a few microseconds, so that the order of the rows does not show
