"""What is read of a dataset for a report or a sheet of samples: its tables, criteria and limits."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.output.provenance import recorded_settings
from curation.output.recorded_rules import rule_records
from curation.review.criteria import Criterion, criteria_of
from curation.review.decided_stretches import Stretch, stretches_of
from curation.review.distributions import ValueCounter
from curation.review.measured_videos import MeasuredVideo, VideoRow
from curation.review.sampling import Strata, strata_of
from curation.settings import CurationSettings
from foundation.settings import settings_of
from manifests.dataset import Dataset
from manifests.files.cells import require_good_cells
from manifests.files.tables import read_table
from manifests.packing.one_state import Counted, counted_rows
from manifests.schema.clips import CLIPS
from manifests.schema.videos import SPANS, VIDEOS
from manifests.vocabulary import Tier

__all__ = ["Collected", "Reviewed", "decided_by", "read_reviewed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """A dataset as it is reviewed."""

    dataset: Dataset
    settings: CurationSettings
    criteria: tuple[Criterion, ...]
    rows: list[VideoRow]
    spans: pa.Table
    clips: pa.Table
    """Columns that hold one value a row."""

    @property
    def identity(self) -> str:
        """Digest of the limits that the stretches were decided by."""
        return decided_by(self.settings)


def decided_by(settings: CurationSettings) -> str:
    """Return a digest of the settings of the rules, which say what a stretch is."""
    rules = settings_of(settings.rules)
    if settings.rules.generated.drop == "nothing":
        del rules["generated"]  # it decides nothing, and labels from before this rule stay good
    text = json.dumps(rules, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{text} {settings.tiers}".encode()).hexdigest()[:16]


def read_reviewed(path: Path, counted: Counted) -> Reviewed:
    """Return the tables of a dataset, without arrays.

    Args:
        path: its folder or address.
        counted: videos whose rows count.

    Raises:
        DatasetError: it is no dataset, or a table cannot be read or states what it cannot.
        DatasetFolderError: its settings are not those of this version.
    """
    dataset = Dataset(path)
    settings = recorded_settings(path, dataset.record)
    spans = require_good_cells(SPANS, counted_rows(read_table(path, "spans"), counted), path)
    columns = [field.name for field in fields(VideoRow)]
    videos = require_good_cells(VIDEOS, read_table(path, "videos", columns), path)
    clips = require_good_cells(CLIPS, counted_rows(read_table(path, "clips", CLIPS.scalars()), counted), path)
    return Reviewed(
        dataset=dataset,
        settings=settings,
        criteria=criteria_of(settings, dataset.record.rules or rule_records(settings.rules, ()), _limits_in(spans)),
        rows=[VideoRow(**row) for row in videos.to_pylist()],
        spans=spans,
        clips=clips,
    )


def _limits_in(spans: pa.Table) -> dict[tuple[str, Tier], float]:
    known = spans.filter(pc.is_valid(spans["limit"]))
    rows = known.group_by(["outcome", "tier"]).aggregate([("limit", "max")]).to_pylist()
    return {(row["outcome"], row["tier"]): row["limit_max"] for row in rows}


class Collected:
    """Stretches and values of all criteria, collected video by video."""

    def __init__(self, criteria: Sequence[Criterion]) -> None:
        self._criteria = criteria
        self._stretches: dict[str, list[Stretch]] = {criterion.key: [] for criterion in criteria}
        self.values = ValueCounter()
        self.undecided = 0
        """Videos that cannot be decided again without a rule of the user's own."""

    def add(self, video: MeasuredVideo) -> None:
        """Collect from a video."""
        self.undecided += not video.verdicts
        for criterion in self._criteria:
            verdict = video.verdicts.get((criterion.rule, criterion.tier))
            found = stretches_of(video.row.video_id, criterion, video.spans[criterion.tier], verdict)
            self._stretches[criterion.key] += found
            self.values.add(video, criterion)

    def strata(self) -> list[Strata]:
        """Return the stretches of each criterion in strata."""
        return [strata_of(criterion, self._stretches[criterion.key]) for criterion in self._criteria]
