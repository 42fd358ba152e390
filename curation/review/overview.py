"""Tables of a report over all of a dataset: hours by reason, speakers, failures, and measures of the clips."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.review.measured_videos import VideoRow
from curation.review.page_data import FailureRow, MeasureCard, SpeakerRow
from foundation.array_types import Float64Array
from foundation.storage.path_text import path_of_text, plain_path
from foundation.text import shown
from manifests.vocabulary import TIERS

__all__ = ["clip_measures", "failure_rows", "funnel_of", "pose_measures", "speaker_rows", "video_name"]

_BINS = 30

_MOST_ROWS = 200
"""Most speakers and failures in a page; there are sentences on the others."""


def video_name(path: str) -> str:
    """Return the file name of a path of the table `videos`, for people."""
    return shown(Path(str(plain_path(path_of_text(path)))).name)


def funnel_of(rows: Sequence[VideoRow], spans: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Return seconds by tier, source and outcome."""
    source_of = {row.video_id: shown(row.source) for row in rows if row.duplicate_of is None}
    seconds = spans.append_column("seconds", pc.subtract(spans["end_s"], spans["start_s"]))
    sums = seconds.group_by(["video_id", "tier", "outcome"]).aggregate([("seconds", "sum")])
    funnel: dict[str, dict[str, dict[str, float]]] = {tier: {} for tier in TIERS}
    for row in sums.to_pylist():
        if row["video_id"] in source_of:
            outcomes = funnel[row["tier"]].setdefault(source_of[row["video_id"]], {})
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0.0) + row["seconds_sum"]
    return funnel


def speaker_rows(clips: pa.Table) -> tuple[list[SpeakerRow], int]:
    """Return the speakers with the most seconds in clips, and how many there are; people without a name count as none.

    Args:
        clips: rows with `person_id`, `speaker_id`, `source`, `start_s` and `end_s`.
    """
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    count: Counter[tuple[str, str]] = Counter()
    for row in clips.select(["person_id", "speaker_id", "source", "start_s", "end_s"]).to_pylist():
        name = row["person_id"] or row["speaker_id"]
        if name is not None:
            key = shown(row["source"]), shown(name)
            seconds[key] += row["end_s"] - row["start_s"]
            count[key] += 1
    ranked = sorted(seconds, key=lambda key: (-seconds[key], key))
    rows = [SpeakerRow(name=key[1], source=key[0], clips=count[key], kept_s=seconds[key]) for key in ranked]
    return rows[:_MOST_ROWS], len(rows)


def failure_rows(rows: Sequence[VideoRow]) -> tuple[list[FailureRow], int]:
    """Return videos that are not in order, and how many there are."""
    failed = [row for row in rows if row.status != "ok"]
    failed.sort(key=lambda row: (row.error_code or "", row.path))
    shown_rows = [
        FailureRow(
            name=video_name(row.path),
            source=shown(row.source),
            status=row.status,
            code=row.error_code or row.status,
            detail=shown(row.error_detail or ""),
        )
        for row in failed[:_MOST_ROWS]
    ]
    return shown_rows, len(failed)


_MEASURES: Mapping[str, tuple[str, str]] = {
    "duration_s": ("Length of a clip", "s"),
    "snr_db": ("Speech over noise in the source", "dB"),
    "loudness_lufs_before": ("Loudness of the source", "LUFS"),
    "speech_ratio": ("Share of ticks with speech", ""),
    "sync_offset_ms": ("How late the sound is", "ms"),
    "sharpness_mean": ("Sharpness of the face", "luma²"),
}


def clip_measures(clips: pa.Table) -> list[MeasureCard]:
    """Return the distributions of what is known of every clip."""
    columns: dict[str, Float64Array] = {
        name: _numbers(clips[name]) for name in ("snr_db", "loudness_lufs_before", "speech_ratio", "sharpness_mean")
    }
    columns["duration_s"] = _numbers(pc.subtract(clips["end_s"], clips["start_s"]))
    columns["sync_offset_ms"] = _numbers(clips["sync_offset_ticks"]) * 40.0
    tier = np.asarray(clips["tier"].to_pylist(), dtype=object)
    return [
        card
        for name, (title, unit) in _MEASURES.items()
        if (card := _card(title, unit, columns[name], tier)) is not None
    ]


def pose_measures(poses: Mapping[str, Sequence[Float64Array]]) -> list[MeasureCard]:
    """Return the distributions of the pose of the head over the frames of clips.

    Args:
        poses: by tier, (N, 3) pitch, yaw and roll of the clips, degrees.
    """
    tiers = [tier for tier, arrays in poses.items() for array in arrays for _ in range(len(array))]
    if not tiers:
        return []
    angles = np.concatenate([array for arrays in poses.values() for array in arrays])
    titles = ("Pitch of the head", "Yaw of the head", "Roll of the head")
    cards = (
        _card(title, "deg", angles[:, i].astype(np.float64), np.asarray(tiers, dtype=object))
        for i, title in enumerate(titles)
    )
    return [card for card in cards if card is not None]


def _numbers(column: pa.ChunkedArray) -> Float64Array:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _card(title: str, unit: str, values: Float64Array, tier: np.typing.NDArray[np.object_]) -> MeasureCard | None:
    known = np.isfinite(values)
    if not known.any():
        return None
    low, high = float(values[known].min()), float(values[known].max())
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    counts: dict[str, list[int]] = {
        name: np.histogram(values[known & (tier == name)], edges)[0].tolist() for name in TIERS
    }
    return MeasureCard(
        title=title,
        unit=unit,
        edges=[float(f"{edge:.6g}") for edge in edges],
        counts=counts,
        missing=int(np.count_nonzero(~known)),
    )
