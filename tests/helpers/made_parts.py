"""Files that a worker writes of a video, with random numbers: tables, and a tar that holds no video."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.files.tables import read_table, write_parquet
from manifests.files.tar import MemberRange, read_member, write_tar
from manifests.packing.clip_json import clip_json
from manifests.schema.arrow_arrays import array_column
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES
from manifests.schema.videos import SPANS

MADE_VIDEOS = ("0a00000000000001", "2b00000000000002", "4c00000000000003", "8d00000000000004", "cf00000000000005")


def put_video(
    dataset: Path, video_id: str, *, n_clips: int = 2, clip_bytes: int = 6000, with_sound: bool = True
) -> None:
    """Write the files of a video, with random numbers that depend on its id."""
    random = np.random.default_rng(int(video_id[:16], 16))
    contents = []
    rows = []
    for number in range(n_clips):
        clip_id = f"{video_id}-{100 * number:07d}-{100 * number + 9:07d}"
        row = {"clip_id": clip_id, "landmarks": random.normal(size=(10, 68, 2)).astype(np.float32)}
        row |= {"video_id": video_id, "source": "s", "path": f"/{video_id}", "tier": "vae", "split": "train"}
        row |= {"start_s": 4.0 * number, "end_s": 4.0 * number + 0.4, "n_frames": 10, "fps": 25.0, "crop_x0": 0.0}
        row |= {"crop_y0": 0.0, "crop_size": 9.0, "landmark_scheme": "ibug68", "pose_method": "made"}
        row |= {"pose_deg": np.zeros((10, 3), np.float32), "media": f"media/{video_id}.tar"}
        files = {"mp4": random.bytes(clip_bytes + number)} | ({"flac": random.bytes(1500)} if with_sound else {})
        for kind, content in files.items():
            row[f"{kind}_size"], row[f"{kind}_sha256"] = len(content), sha256(content).hexdigest()
            contents.append((f"{clip_id}.{kind}", content))
        contents.append((f"{clip_id}.json", clip_json(table_of("clips", [row]).to_pylist()[0])))
        rows.append(row)
    if rows:
        ranges = write_tar(dataset / "media" / f"{video_id}.tar", contents)
        place = {name: where.offset for (name, _), where in zip(contents, ranges, strict=True)}
        for row in rows:
            row |= {f"{kind}_offset": place.get(f"{row['clip_id']}.{kind}") for kind in ("mp4", "flac")}
        write_parquet(dataset / "clips" / f"{video_id}.parquet", table_of("clips", rows), CLIPS)
    points = random.normal(size=(20, 68, 2)).astype(np.float32)
    made = {"video_id": video_id, "decoded": True, "n_faces": 1, "interpolated": False}
    frames = [{**made, "tick": k, "time_s": k / 25, "landmarks": points[k]} for k in range(20)]
    write_parquet(dataset / "frames" / f"{video_id}.parquet", table_of("frames", frames), FRAMES)
    spans = [
        {"video_id": video_id, "start_s": 0.0, "end_s": 0.8, "tier": tier, "outcome": "silence", "failed": []}
        for tier in ("diffusion", "vae")
    ]
    write_parquet(dataset / "spans" / f"{video_id}.parquet", table_of("spans", spans), SPANS)


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = {}
    for column in TABLES[name].columns:
        values = [row.get(column.name) for row in rows]
        arrays = any(isinstance(value, np.ndarray) for value in values)
        columns[column.name] = array_column(values, column.type) if arrays else pa.array(values, column.type)
    return pa.table(columns)


def put_videos(dataset: Path, video_ids: Iterable[str]) -> Path:
    for video_id in video_ids:
        put_video(dataset, video_id)
    return dataset


def clip_bytes(dataset: Path) -> dict[str, tuple[bytes, ...]]:
    """Return both files of every clip, read by the ranges of the table."""
    return {
        row["clip_id"]: tuple(
            read_member(dataset, row["media"], MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"]))
            for kind in ("mp4", "flac")
        )
        for row in read_table(dataset, "clips").to_pylist()
    }
