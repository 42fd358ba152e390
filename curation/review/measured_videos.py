"""Values of every rule on every tick of the videos that a report looks at, found by deciding them once more."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decision.decide import Decision, decide
from curation.operations.read_evidence import frames_for_rules
from curation.output.frame_rows import evidence_of_frames
from curation.review.decided_stretches import SpanRow
from curation.rules.verdict import Verdict
from curation.settings import CurationSettings
from foundation.array_types import Float32Array
from foundation.errors import UsageError
from manifests.errors import DatasetError
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, GeneratedTag, Tier

__all__ = ["MeasuredVideo", "VideoRow", "measured_videos", "spans_of_videos"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoRow:
    """Columns of the table `videos` that a report shows."""

    video_id: str
    source: str
    path: str
    speaker_id: str | None
    size_bytes: int | None
    duration_s: float | None
    audio_track: int | None
    status: str
    error_code: str | None
    error_detail: str | None
    kept_diffusion_s: float
    kept_vae_s: float
    n_clips: int
    duplicate_of: str | None
    generated_tags: Sequence[GeneratedTag] | None

    @property
    def n_ticks(self) -> int:
        """Length of a video that was analysed."""
        return round((self.duration_s or 0.0) * TICK_RATE_HZ)

    @property
    def was_decided(self) -> bool:
        """Whether it has spans of its own."""
        return self.status == "ok" and self.duplicate_of is None and self.n_ticks > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredVideo:
    """A video with what every rule measured on every tick."""

    row: VideoRow
    spans: Mapping[Tier, Sequence[SpanRow]]
    """As the dataset has them."""
    verdicts: Mapping[tuple[str, Tier], Verdict]
    """By rule and tier; empty where the evidence does not suffice to decide again."""
    box_px: Float32Array
    """(T, 4) the main face; NaN where there is none."""
    unmeasured: int
    """Ticks on which no face was looked for."""


def spans_of_videos(spans: pa.Table, video_ids: Sequence[str]) -> dict[str, dict[Tier, list[SpanRow]]]:
    """Return the spans of some videos by video and tier, in order.

    Args:
        spans: the table `spans`.
        video_ids: of the videos.
    """
    own = spans.filter(pc.is_in(spans["video_id"], pa.array(video_ids, pa.string()))).sort_by("start_s")
    found: dict[str, dict[Tier, list[SpanRow]]] = {name: {tier: [] for tier in TIERS} for name in video_ids}
    for span in own.to_pylist():
        found[span["video_id"]][span["tier"]].append(
            SpanRow(
                ticks=(round(span["start_s"] * TICK_RATE_HZ), round(span["end_s"] * TICK_RATE_HZ)),
                outcome=span["outcome"],
                value=span["value"],
                limit=span["limit"],
                failed=tuple(span["failed"]),
                on_grid=bool(span["on_grid"]),
                clip_id=span["clip_id"],
            )
        )
    return found


def measured_videos(
    dataset: Path, settings: CurationSettings, rows: Sequence[VideoRow], spans: pa.Table
) -> Iterator[MeasuredVideo]:
    """Yield videos in the order of their ids, each decided once more with the settings of the dataset.

    Rules of the user's own are not at hand, and their values are missing.

    Args:
        dataset: the folder.
        settings: of the dataset.
        rows: of the videos, all of them decided.
        spans: the table `spans`.

    Raises:
        DatasetError: the evidence of a video is damaged or gone.
        OSError: it cannot be read.
    """
    own_spans = spans_of_videos(spans, [row.video_id for row in rows])
    ordered = sorted(rows, key=lambda row: row.video_id)
    tables = frames_for_rules(dataset, [row.video_id for row in ordered], all_measures=False)
    for row, table in zip(ordered, tables, strict=True):
        if not len(table):
            raise DatasetError(f"{dataset}: the evidence of {row.path} is gone; run the curation again")
        measured = pc.fill_null(table["measured"], True)
        decision = _decided(table, row, settings)
        yield MeasuredVideo(
            row=row,
            spans=own_spans[row.video_id],
            verdicts={} if decision is None else _verdicts(decision),
            box_px=np.full((row.n_ticks, 4), np.nan, np.float32) if decision is None else decision.face.box_px,
            unmeasured=len(measured) - int(pc.sum(measured).as_py() or 0),
        )


def _decided(frames: pa.Table, row: VideoRow, settings: CurationSettings) -> Decision | None:
    """Return the decision on a video; None where a rule of the user's own kept more from being measured."""
    tags = None if row.generated_tags is None else tuple(row.generated_tags)
    try:
        return decide(
            replace(evidence_of_frames(frames, row.n_ticks, settings.rules), generated_tags=tags),
            settings.rules,
            identity=settings.perception.identity,
            face_ratio=settings.crop.face_ratio,
            tiers=settings.tiers,
        )
    except DatasetError as error:
        raise DatasetError(f"{row.path}: {error}; run the curation again") from error
    except UsageError:
        return None


def _verdicts(decision: Decision) -> dict[tuple[str, Tier], Verdict]:
    return {(name, tier): verdict for tier, by_rule in decision.verdicts.items() for name, verdict in by_rule.items()}
