"""Validation of what a dataset says of ticks that were not measured, because no clip could lie there."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.text import count_text
from manifests.files.tables import read_table
from manifests.reports.validate_clips import Problem
from manifests.timeline import TICK_RATE_HZ

__all__ = ["measured_problems"]

_RUN_AGAIN = "run the curation again"

_DECIDE_AGAIN = "run `gaia-curate decide` into a new dataset"

_EXACT = ("kept", "trimmed", "not_asked")
"""Outcomes of spans whose borders are known to the tick."""

_COLUMNS = ["video_id", "tick", "measured", "grid", "n_faces", "track_id", "interpolated", "mask_prob"]


def measured_problems(dataset: Path) -> Iterator[Problem]:
    """Yield videos, clips and spans that contradict what was measured.

    A tick that was not measured has faces only on the grid, and none of them a track or a `mask_prob`; a clip holds
    none; the borders of a span that is kept, or was not asked for, are exact.

    Raises:
        DatasetError: a table cannot be read.
    """
    frames = read_table(dataset, "frames", _COLUMNS)
    known, on_grid = frames["measured"].is_valid(), frames["grid"].is_valid()
    told = frames.filter(pc.and_(known, pc.invert(pc.fill_null(frames["measured"], True))))
    without_grid = pc.invert(pc.fill_null(told["grid"], False))
    either = "only one of `measured` and `grid`"
    yield from _named(frames.filter(pc.xor(known, on_grid)), f"tick has {either}", f"ticks have {either}")
    seen = told.filter(pc.and_(without_grid, pc.greater(told["n_faces"], 0)))
    yield from _named(seen, "tick with faces that was not looked at", "ticks with faces that were not looked at")
    followed = pc.or_(told["track_id"].is_valid(), told["interpolated"])
    yield from _unmeasured(told.filter(followed), "a face that is followed")
    masked = pc.invert(pc.fill_null(pc.is_nan(told["mask_prob"]), True))
    yield from _unmeasured(told.filter(masked), "a mask_prob, which takes its neighbours")
    yield from _clip_problems(dataset, told)
    yield from _span_problems(dataset, set(pc.unique(frames.filter(on_grid)["video_id"]).to_pylist()))


def _unmeasured(rows: pa.Table, what: str) -> Iterator[Problem]:
    yield from _named(rows, f"tick that was not measured has {what}", f"ticks that were not measured have {what}")


def _named(rows: pa.Table, one: str, several: str) -> Iterator[Problem]:
    for counted in sorted(pc.value_counts(rows["video_id"]).to_pylist(), key=lambda row: str(row["values"])):
        what = count_text(counted["counts"], one, several)
        yield Problem(file="frames", row=counted["values"], what=what, remedy=_RUN_AGAIN)


def _clip_problems(dataset: Path, unmeasured: pa.Table) -> Iterator[Problem]:
    """Yield clips with ticks that were not measured."""
    ticks: dict[str, list[int]] = defaultdict(list)
    for video_id, tick in zip(unmeasured["video_id"].to_pylist(), unmeasured["tick"].to_pylist(), strict=True):
        ticks[video_id].append(tick)
    sorted_ticks = {video_id: np.sort(found) for video_id, found in ticks.items()}
    for row in read_table(dataset, "clips", ["clip_id", "video_id", "start_s", "end_s"]).to_pylist():
        if row["video_id"] in sorted_ticks:
            bounds = [round(row[name] * float(TICK_RATE_HZ)) for name in ("start_s", "end_s")]
            first, end = sorted_ticks[row["video_id"]].searchsorted(bounds)
            if end > first:
                what = f"{end - first} of its ticks not measured"
                yield Problem(file="clips", row=row["clip_id"], what=what, remedy=_RUN_AGAIN)


def _span_problems(dataset: Path, with_grid: set[str]) -> Iterator[Problem]:
    """Yield spans whose borders cannot be known to the grid only."""
    columns = ["video_id", "start_s", "end_s", "tier", "outcome", "on_grid"]
    for row in read_table(dataset, "spans", columns).to_pylist():
        where = f"the span {row['start_s']} to {row['end_s']} s of tier {row['tier']}"
        if row["on_grid"] and row["outcome"] in _EXACT:
            what = f"{where} is {row['outcome']}, and on_grid says that its borders are not exact"
            yield Problem(file="spans", row=row["video_id"], what=what, remedy=_DECIDE_AGAIN)
        if row["on_grid"] and row["video_id"] not in with_grid:
            what = f"{where} is on_grid, and `frames` names no grid of its video"
            yield Problem(file="spans", row=row["video_id"], what=what, remedy=_DECIDE_AGAIN)
