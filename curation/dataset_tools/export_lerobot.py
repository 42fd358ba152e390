"""Export as LeRobotDatasets of version 3: a clip is an episode, what was measured on its frames are their features.

All episodes of such a dataset have the same features. Clips of tier `vae` have no speech features, so each tier becomes
a dataset of its own. The layout is that of `lerobot.datasets` with `codebase_version` v3.0.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.dataset_tools.exported_clips import ExportedClip, clips_of
from curation.dataset_tools.feature_statistics import FeatureSums, picture_values, statistics_of
from curation.dataset_tools.lerobot_tables import (
    FRAME_ARRAYS,
    VIDEO,
    Feature,
    episode_table,
    features_of,
    frames_table,
    tasks_table,
)
from foundation.storage.atomic import replacing, write_bytes_atomic, write_json_atomic
from manifests.errors import DatasetError, MediaError
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import SPLITS

__all__ = ["export_lerobot"]

_TASKS = {"diffusion": "a person talks", "vae": "a person is shown"}
"""By tier, what LeRobot calls the task of an episode."""

_FILES = 1000
"""Files of a folder, and episodes of a file that describes them."""

_MOST_DATA_BYTES = 100 << 20
"""Most that LeRobot itself writes into a file of frames, before compression."""

_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEOS = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_SOUND = "audio/chunk-{chunk_index:03d}/file-{file_index:03d}.flac"
_EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"


def export_lerobot(dataset: Path, folder: Path, shard_bytes: int) -> int:
    """Write a LeRobotDataset per tier and return the number of clips.

    Args:
        dataset: the dataset.
        folder: an empty folder; each tier gets a folder in it, of its name.
        shard_bytes: most that a file of frames has before compression, and at most 100 MiB.

    Raises:
        DatasetError, MediaError: a file is damaged.
        OSError: a file cannot be read or written.
    """
    written: dict[tuple[str, ...], _Writer] = {}
    with ExitStack() as files:
        for split in SPLITS:
            for clip in clips_of(dataset, split):
                tier = str(clip.facts["tier"])
                shapes = (f"{name} {clip.arrays[name].shape[1:]}" for name in FRAME_ARRAYS if name in clip.arrays)
                key = (tier, *shapes)
                if key not in written:
                    number = 1 + sum(other[0] == tier for other in written)
                    name = tier if number == 1 else f"{tier}-{number}"
                    written[key] = _Writer(folder / name, tier, min(shard_bytes, _MOST_DATA_BYTES), files)
                written[key].add(clip)
        for one in written.values():
            one.finish()
    return sum(one.n_episodes for one in written.values())


class _Writer:
    """A LeRobotDataset that is being written."""

    def __init__(self, folder: Path, tier: str, most_bytes: int, files: ExitStack) -> None:
        self._folder, self._tier, self._most = folder, tier, most_bytes
        self._frames = _Tables(folder, _DATA, most_bytes, files)
        self._episodes = _Tables(folder, _EPISODES, most_bytes, files)
        self._features: dict[str, Feature] = {}
        self._splits: dict[str, tuple[int, int]] = {}
        self._sums: dict[str, FeatureSums] = {}
        self.n_episodes = self._n_frames = 0

    def add(self, clip: ExportedClip) -> None:
        """Write an episode."""
        if not self._features:
            self._features = features_of(clip)
        number, n = self.n_episodes, int(clip.facts["n_frames"])
        values = self._values(clip, n)
        statistics = {name: statistics_of(array) for name, array in values.items()}
        try:
            statistics[VIDEO] = statistics_of(*picture_values(clip.mp4))
        except (av.FFmpegError, ValueError) as error:
            raise MediaError(f"clip {clip.facts['clip_id']} cannot be decoded: {error}") from error
        for name, own in statistics.items():
            self._sums.setdefault(name, FeatureSums()).add(own)
        place = _place(number)
        write_bytes_atomic(self._folder / _VIDEOS.format(video_key=VIDEO, **place), clip.mp4)
        sound = None if clip.flac is None else _SOUND.format(**place)
        if sound is not None and clip.flac is not None:
            write_bytes_atomic(self._folder / sound, clip.flac)
        frames, where = frames_table(values), self._frames.room_for
        episode: dict[str, Any] = {
            "episode_index": number,
            "tasks": [_TASKS[self._tier]],
            "length": n,
            **{f"data/{name}": index for name, index in where(frames).items()},
            "dataset_from_index": self._n_frames,
            "dataset_to_index": self._n_frames + n,
            **{f"videos/{VIDEO}/{name}": index for name, index in place.items()},
            f"videos/{VIDEO}/from_timestamp": 0.0,
            f"videos/{VIDEO}/to_timestamp": n / float(TICK_RATE_HZ),
            "audio_path": sound,
        }
        self._frames.add(frames)
        # LeRobot wants to know of a row in which file it is
        row = episode_table(episode | _prefixed(_place(0)), clip, statistics)
        row = episode_table(episode | _prefixed(self._episodes.room_for(row)), clip, statistics)
        self._episodes.add(row)
        split = str(clip.facts["split"])
        self._splits[split] = (self._splits.get(split, (number, 0))[0], number + 1)
        self.n_episodes += 1
        self._n_frames += n

    def _values(self, clip: ExportedClip, n: int) -> dict[str, npt.NDArray[np.generic]]:
        """Return the values of every feature but the video, a row per frame."""
        frame = np.arange(n, dtype=np.int64)
        values: dict[str, npt.NDArray[np.generic]] = {
            f"observation.{name}": clip.arrays[name].astype(np.float32) for name in FRAME_ARRAYS if name in clip.arrays
        }
        if lengths := {len(array) for array in values.values()} - {n}:
            raise DatasetError(f"clip {clip.facts['clip_id']} has {n} frames and arrays of {min(lengths)}")
        return values | {
            "timestamp": (frame / float(TICK_RATE_HZ)).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(n, self.n_episodes, dtype=np.int64),
            "index": frame + self._n_frames,
            "task_index": np.zeros(n, dtype=np.int64),
        }

    def finish(self) -> None:
        """Complete the files and write what describes them."""
        self._frames.close()
        self._episodes.close()
        with replacing(self._folder / "meta" / "tasks.parquet") as stream:
            pq.write_table(tasks_table(_TASKS[self._tier]), stream)
        statistics = {
            name: {key: value.tolist() for key, value in sums.known.items()} for name, sums in self._sums.items()
        }
        write_json_atomic(self._folder / "meta" / "stats.json", statistics)
        info = {
            "codebase_version": "v3.0",
            "robot_type": None,
            "total_episodes": self.n_episodes,
            "total_frames": self._n_frames,
            "total_tasks": 1,
            "chunks_size": _FILES,
            "data_files_size_in_mb": max(1, self._most >> 20),
            "video_files_size_in_mb": 200,
            "fps": int(TICK_RATE_HZ),
            "splits": {split: f"{first}:{end}" for split, (first, end) in self._splits.items()},
            "data_path": _DATA,
            "video_path": _VIDEOS,
            "features": self._features,
        }
        write_json_atomic(self._folder / "meta" / "info.json", info)  # last: without it there is no dataset


class _Tables:
    """Parquet files of rows, of some size each; a file appears once it is complete."""

    def __init__(self, folder: Path, name: str, most_bytes: int, files: ExitStack) -> None:
        self._folder, self._name, self._most = folder, name, most_bytes
        self._number = self._n_bytes = self._n_tables = 0
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        files.push(self._end)

    def room_for(self, rows: pa.Table) -> Mapping[str, int]:
        """Return the place of the file that takes these rows; the one before is completed if it is full."""
        if self._n_tables and (self._n_bytes + rows.nbytes > self._most or self._n_tables >= _FILES):
            self.close()
            self._number += 1
            self._n_bytes = self._n_tables = 0
        return _place(self._number)

    def add(self, rows: pa.Table) -> None:
        """Append rows, as a row group, to the file that `room_for` told."""
        if self._writer is None:
            stream = self._open.enter_context(replacing(self._folder / self._name.format(**_place(self._number))))
            self._writer = self._open.enter_context(pq.ParquetWriter(stream, rows.schema, compression="snappy"))
        self._writer.write_table(rows)
        self._n_bytes += rows.nbytes
        self._n_tables += 1

    def close(self) -> None:
        """Complete the file."""
        self._open.close()
        self._writer = None

    def _end(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)


def _place(number: int) -> dict[str, int]:
    return {"chunk_index": number // _FILES, "file_index": number % _FILES}


def _prefixed(place: Mapping[str, int]) -> dict[str, int]:
    return {f"meta/episodes/{name}": index for name, index in place.items()}
