"""What `validate` says of a split with somebody on two sides of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.reports.validate_splits import split_problems
from manifests.schema.tables import TABLES

Clip = tuple[str, str | None, str | None, str]
"""Video, speaker, person and split."""


def put(dataset: Path, table: str, rows: list[dict[str, str | None]]) -> None:
    """Write some columns of a table."""
    schema = pa.schema([TABLES[table].column(name).field for name in rows[0]])
    (dataset / table).mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), dataset / table / f"{table}.parquet")


def problems(dataset: Path, clips: list[Clip], groups: dict[str, str]) -> list[str]:
    names = ("video_id", "speaker_id", "person_id", "split")
    rows = [dict(zip(names, clip, strict=True)) | {"clip_id": f"clip{number}"} for number, clip in enumerate(clips)]
    put(dataset, "clips", rows)
    videos = sorted({clip[0] for clip in clips})
    put(dataset, "videos", [{"video_id": video, "duplicate_group": groups.get(video)} for video in videos])
    return [f"{problem.row}: {problem.what}" for problem in split_problems(dataset)]


@pytest.mark.parametrize(
    ("clips", "groups", "expected"),
    [
        ([("v", None, "p", "train"), ("w", None, "p", "train"), ("x", None, "q", "test")], {}, []),
        # two people of one video may be on two sides
        ([("v", None, "p", "train"), ("v", None, "q", "val")], {}, []),
        (
            [("v", None, "p", "test"), ("w", None, "p", "train"), ("x", None, "p", "train")],
            {},
            ["p: the person is in several splits: train (clip1, clip2) and test (clip0)"],
        ),
        (
            [("v", "s", None, "val"), ("w", "s", "p", "train")],
            {},
            ["s: the speaker is in several splits: train (clip1) and val (clip0)"],
        ),
        (
            [("v", None, None, "val"), ("v", None, None, "test")],
            {},
            ["v: the video is in several splits: val (clip0) and test (clip1)"],
        ),
        (
            [("v", None, "p", "train"), *[("w", None, "q", "val")] * 4],
            {"v": "v", "w": "v"},
            ["v: the group of near-duplicates is in several splits: train (clip0) and val (clip1, clip2 and 2 more)"],
        ),
    ],
)
def test_whoever_is_on_two_sides_is_named_with_clips_of_each(
    tmp_path: Path, clips: list[Clip], groups: dict[str, str], expected: list[str]
) -> None:
    assert problems(tmp_path, clips, groups) == expected
