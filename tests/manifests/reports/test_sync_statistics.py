"""What `stats` says of lips and sound, on rows made by hand."""

import pyarrow as pa
import pytest

from foundation.text import time_unit
from manifests.reports.sync_statistics import sync_rows, sync_text


def video(video_id: str, source: str, z: float | None, offset: float | None, n_ticks: int | None) -> dict[str, object]:
    found = {"sync_z": z, "sync_offset_ticks": offset, "sync_ticks": n_ticks}
    return {"video_id": video_id, "source": source, "duplicate_of": None, **found}


VIDEOS = pa.Table.from_pylist(
    [
        video("a", "x", 9.0, 2.0, 200),
        video("a", "y", None, None, None) | {"duplicate_of": "a"},
        video("b", "x", 5.0, 3.0, 111),
        video("c", "x", 4.4, 9.0, 999),
        video("d", "x", 9.0, 9.0, 110),
        video("e", "z", None, None, None),
    ]
)
SPANS = pa.Table.from_pylist(
    [
        {"video_id": "a", "sync": "in_sync", "sync_reason": None, "start_s": 0.0, "end_s": 8.0},
        {"video_id": "b", "sync": "not_in_sync", "sync_reason": None, "start_s": 1.0, "end_s": 6.0},
        {"video_id": "c", "sync": "in_sync", "sync_reason": None, "start_s": 0.0, "end_s": 4.0},
        {"video_id": "c", "sync": None, "sync_reason": None, "start_s": 4.0, "end_s": 9.0},
        {"video_id": "d", "sync": "not_measured", "sync_reason": "turned", "start_s": 0.0, "end_s": 3.0},
    ]
)
CLIPS = pa.table({"video_id": ["a", "b"], "sound_moved_s": [0.08, None]})


def test_seconds_and_sure_offsets_are_counted_per_source() -> None:
    (row,) = sync_rows(VIDEOS, SPANS, CLIPS)
    assert row.source == "x"
    assert row.seconds == {"in_sync": 12.0, "not_in_sync": 5.0, "undecided": 0.0, "not_measured": 3.0}
    assert row.unmeasured_s == {"turned": 3.0}
    assert (row.n_offsets, row.n_moved) == (2, 1)
    assert row.offset_ms == pytest.approx((80.0, 100.0, 120.0))


def test_the_tables_are_for_people() -> None:
    text = sync_text(sync_rows(VIDEOS, SPANS, CLIPS), time_unit(60.0))
    assert "x            12.0            5.0          0.0             3.0" in text
    assert "x       3.0  not measured: the head is turned too far" in text
    assert text.splitlines()[-1].split() == ["x", "2", "+80", "+100", "+120", "1"]


def test_nothing_judged_is_no_row() -> None:
    assert sync_rows(VIDEOS, SPANS.slice(3, 1), CLIPS) == ()
