"""Shares of people in a selection: near-duplicates are taken once, and nobody takes up more hours than asked.

Both are chosen here, and not when the data are curated: what is too much depends on what is trained, a choice can be
taken back, and clips that arrive later would have to push out earlier ones. The dataset keeps every clip.
"""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from foundation.array_types import BoolArray
from foundation.text import count_text
from manifests.files.tables import read_table
from manifests.timeline import TICK_RATE_HZ
from training.data.config import DataConfig

__all__ = ["hash_order", "left_out_by", "once_per_group", "people_of", "shared_out", "within_hours"]

_FRAMES_PER_HOUR = float(TICK_RATE_HZ) * 3600.0


def shared_out(dataset: Path, rows: pa.Table, config: DataConfig) -> tuple[pa.Table, tuple[str, ...]]:
    """Return the rows that `near_duplicates` and `max_hours_per_person` leave, and sentences on those that they do not.

    Args:
        dataset: the folder.
        rows: clips that fulfil the conditions of the selection.
        config: the selection.

    Raises:
        DatasetError: the table `videos` cannot be read.
    """
    left_out = []
    if config.near_duplicates == "one":
        videos = read_table(dataset, "videos", ["video_id", "duplicate_group"])
        groups = dict(zip(*(column.to_pylist() for column in videos.drop_null().columns), strict=True))
        stays = once_per_group(rows, groups)
        left_out += left_out_by(rows, stays, "data.near_duplicates=one")
        rows = rows.filter(pa.array(stays))
    if config.max_hours_per_person is not None:
        stays = within_hours(rows, config.max_hours_per_person)
        left_out += left_out_by(rows, stays, f"data.max_hours_per_person={config.max_hours_per_person:g}")
        rows = rows.filter(pa.array(stays))
    return rows, tuple(left_out)


def left_out_by(rows: pa.Table, stays: BoolArray, setting: str) -> list[str]:
    """Return a sentence on the rows that do not stay, for people; none where all stay.

    Args:
        rows: clips as of `within_hours`.
        stays: (rows,) which of them stay.
        setting: the reason, such as `data.near_duplicates=one`.
    """
    gone = rows.filter(pa.array(~stays))
    if not len(gone):
        return []
    hours = pc.sum(gone["n_frames"]).as_py() / _FRAMES_PER_HOUR
    people = count_text(len(set(people_of(gone))), "person", "people")
    return [f"{count_text(len(gone), 'clip')}, {hours:.2f} h, of {people} left out by {setting}"]


def hash_order(rows: pa.Table) -> list[int]:
    """Return the numbers of rows in the order of a hash of `clip_id`, which other rows do not change."""
    hashes = [blake2b(name.encode(), digest_size=8).digest() for name in rows["clip_id"].to_pylist()]
    return sorted(range(len(rows)), key=hashes.__getitem__)


def people_of(rows: pa.Table) -> list[str]:
    """Return who is in each row: the person, else the speaker, else the video, each with its kind before it."""
    names = (rows[column].to_pylist() for column in ("person_id", "speaker_id", "video_id"))
    return [
        f"person {person}" if person is not None else f"speaker {speaker}" if speaker is not None else f"video {video}"
        for person, speaker, video in zip(*names, strict=True)
    ]


def within_hours(rows: pa.Table, hours: float) -> BoolArray:
    """Return (rows,) which clips stay where each person has at most so many hours.

    A person's clips stay in the order of `hash_order` until the hours are reached, the last one as a whole; so fewer
    hours are part of more.

    Args:
        rows: clips with `clip_id`, `person_id`, `speaker_id`, `video_id` and `n_frames`.
        hours: of one person.
    """
    people, frames = people_of(rows), rows["n_frames"].to_pylist()
    taken = dict.fromkeys(people, 0)
    stays = np.zeros(len(rows), dtype=np.bool_)
    for row in hash_order(rows):
        if taken[people[row]] < hours * _FRAMES_PER_HOUR:
            stays[row] = True
            taken[people[row]] += frames[row]
    return stays


def once_per_group(rows: pa.Table, groups: Mapping[str, str]) -> BoolArray:
    """Return (rows,) which clips stay where each group of near-duplicate videos is represented by one video.

    That is the one with the most frames among the rows; of equal ones, the first by its id.

    Args:
        rows: clips with `video_id` and `n_frames`.
        groups: by video id, the group that the video belongs to.
    """
    videos = rows["video_id"].to_pylist()
    frames: dict[str, int] = {}
    for video, n_frames in zip(videos, rows["n_frames"].to_pylist(), strict=True):
        frames[video] = frames.get(video, 0) + n_frames
    chosen: dict[str, str] = {}
    for video in sorted(frames, key=lambda video: (-frames[video], video)):
        chosen.setdefault(groups.get(video, video), video)
    return np.array([chosen[groups.get(video, video)] == video for video in videos], dtype=np.bool_)
