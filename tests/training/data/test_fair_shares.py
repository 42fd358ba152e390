from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.schema.tables import TABLES
from training.data.fair_shares import once_per_group, within_hours
from training.data.selection import DataConfig, select_clips

MakeClips = Callable[..., Path]

HOUR = 25 * 3600


def clips_of(*rows: tuple[str, str | None, str | None, int]) -> pa.Table:
    """Return clips of (video, speaker, person, frames)."""
    videos, speakers, persons, frames = zip(*rows, strict=True)
    return pa.table(
        {
            "clip_id": [f"{video}-{number}" for number, video in enumerate(videos)],
            "video_id": list(videos),
            "speaker_id": pa.array(speakers, pa.string()),
            "person_id": pa.array(persons, pa.string()),
            "n_frames": list(frames),
        }
    )


def test_nobody_has_more_hours_than_asked_by_more_than_a_clip() -> None:
    rows = clips_of(
        *[(f"v{number}", None, "anna", HOUR // 10) for number in range(50)],  # 5 h in 50 videos
        *[("w", "ben", None, HOUR // 10) for _ in range(20)],
        *[("x", None, None, HOUR // 10) for _ in range(3)],
    )
    stays = within_hours(rows, 1.0)
    assert [int(stays[part].sum()) for part in (slice(50), slice(50, 70), slice(70, 73))] == [10, 10, 3]
    more = within_hours(rows, 1.5)
    assert (stays <= more).all()
    assert int(more[:50].sum()) == 15
    assert stays[:50].tolist() != [True] * 10 + [False] * 40  # drawn from all, not the first by name


def test_a_clip_longer_than_the_hours_stays() -> None:
    assert within_hours(clips_of(("v", None, "anna", HOUR), ("v", None, "anna", HOUR)), 0.5).sum() == 1


def test_of_copies_the_video_with_most_frames_stays() -> None:
    rows = clips_of(("v", None, None, 100), ("w", None, None, 80), ("w", None, None, 80), ("x", None, None, 10))
    assert once_per_group(rows, {"v": "v", "w": "v"}).tolist() == [False, True, True, True]
    assert once_per_group(rows, {"v": "v", "x": "v"}).tolist() == [True, True, True, False]
    assert once_per_group(rows, {}).all()


def test_a_selection_says_what_it_left_out_and_why(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = [{"video": video, "first": 100 * number, "n_frames": 90} for video in "vwx" for number in range(3)]
    dataset = make_clips(tmp_path / "dataset", *clips)
    schema = pa.schema([TABLES["videos"].column(name).field for name in ("video_id", "duplicate_group")])
    rows = [{"video_id": video, "duplicate_group": "v" if video in "vw" else None} for video in "vwx"]
    (dataset / "videos").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), dataset / "videos" / "videos.parquet")
    everything = DataConfig()
    assert (len(select_clips(dataset, everything)), select_clips(dataset, everything).left_out) == (9, ())
    chosen = select_clips(dataset, replace(everything, near_duplicates="one", max_hours_per_person=0.0015))
    assert chosen.rows["video_id"].to_pylist() == ["v", "v", "x", "x"]  # 0.0015 h are 135 frames
    assert chosen.left_out == (
        "3 clips, 0.00 h, of 1 person left out by data.near_duplicates=one",
        "2 clips, 0.00 h, of 2 people left out by data.max_hours_per_person=0.0015",
    )


@pytest.mark.parametrize("hours", [0.0, -1.0])
def test_hours_per_person_are_above_0(hours: float) -> None:
    with pytest.raises(ValueError, match="max_hours_per_person"):
        DataConfig(max_hours_per_person=hours)
