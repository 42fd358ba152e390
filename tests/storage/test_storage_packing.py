"""Packing a dataset in an object store: the bytes that packing gives on a disk."""

from pathlib import Path

import pytest
from helpers.made_parts import MADE_VIDEOS, clip_bytes, put_videos

from manifests.files.tables import read_table
from manifests.packing.pack import StorageSettings, compact
from manifests.packing.relabel import ClipLabels, relabel_clips

VIDEOS = (*MADE_VIDEOS[:2], MADE_VIDEOS[4])
MOVED = ClipLabels(videos={VIDEOS[0]: {"path": "new/talk.mp4", "source": "new"}})
SMALL = StorageSettings(part_mb=0.05, shard_gib=5e-5)


def objects(dataset: Path) -> dict[str, bytes]:
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in (dataset / name for name in ("frames", "spans", "clips", "media"))
        for path in folder.iterdir()
    }


@pytest.mark.slow
def test_a_packed_dataset_is_the_same_in_a_store_as_on_a_disk(bucket: Path, tmp_path: Path) -> None:
    for dataset in (bucket / "dataset", tmp_path):
        put_videos(dataset, VIDEOS[:1])
        compact(dataset, VIDEOS[:1], SMALL)
        put_videos(dataset, VIDEOS[1:])
        media = clip_bytes(dataset)
        compact(dataset, VIDEOS, SMALL)
        assert clip_bytes(dataset) == media
    assert objects(bucket / "dataset") == objects(tmp_path)
    compact(bucket / "dataset", VIDEOS[1:], SMALL)
    left = read_table(bucket / "dataset", "clips", ["video_id"])["video_id"].to_pylist()
    assert sorted(set(left)) == list(VIDEOS[1:])


def test_paths_of_clips_follow_those_of_their_videos_in_a_store(bucket: Path) -> None:
    put_videos(bucket / "dataset", VIDEOS[:2])
    compact(bucket / "dataset", VIDEOS[:2], StorageSettings())
    before = objects(bucket / "dataset")
    relabel_clips(bucket / "dataset", MOVED)
    clips = read_table(bucket / "dataset", "clips", ["video_id", "path", "source"]).to_pylist()
    assert {(row["path"], row["source"]) for row in clips if row["video_id"] == VIDEOS[0]} == {("new/talk.mp4", "new")}
    assert "new/talk.mp4" not in {row["path"] for row in clips if row["video_id"] == VIDEOS[1]}
    after = objects(bucket / "dataset")
    assert {name for name in before if before[name] != after.get(name)} == {
        name for name in before if name.startswith("clips/")
    }
    relabel_clips(bucket / "dataset", MOVED)
    assert objects(bucket / "dataset") == after
    compact(bucket / "dataset", VIDEOS[:2], StorageSettings())
    assert objects(bucket / "dataset") == after
