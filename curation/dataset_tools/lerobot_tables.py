"""Tables of a LeRobotDataset of version 3: frames, episodes and tasks, and the features that its info.json declares."""

import io
import json
from collections.abc import Mapping
from typing import Any, TypedDict

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.dataset_tools.exported_clips import FACTS, ExportedClip
from curation.dataset_tools.feature_statistics import Statistics
from manifests.schema.arrow_arrays import block_column
from manifests.schema.clips import CLIPS
from manifests.timeline import TICK_RATE_HZ

__all__ = ["FRAME_ARRAYS", "VIDEO", "Feature", "episode_table", "features_of", "frames_table", "tasks_table"]

VIDEO = "observation.images.face"
"""Name of the feature that is the video."""

FRAME_ARRAYS = ("landmarks", "pose_deg", "blendshapes", "speech_features")
"""Arrays of a clip that have a row per frame."""

_NAMES = {"pose_deg": ["pitch", "yaw", "roll"]}

_COUNTED = ("frame_index", "episode_index", "index", "task_index")


class Feature(TypedDict, total=False):
    """Declaration of a feature."""

    dtype: str
    shape: list[int]
    names: list[str] | None
    info: dict[str, str | int | bool]


def features_of(clip: ExportedClip) -> dict[str, Feature]:
    """Return the features of a dataset whose episodes are like this clip."""
    with av.open(io.BytesIO(clip.mp4)) as container:
        stream = container.streams.video[0]
        height, width = stream.height, stream.width
        info: dict[str, str | int | bool] = {
            "video.height": height,
            "video.width": width,
            "video.codec": stream.codec_context.name,
            "video.pix_fmt": str(stream.codec_context.pix_fmt),
            "video.is_depth_map": False,
            "video.fps": int(TICK_RATE_HZ),
            "video.channels": 3,
            "has_audio": False,
        }
    features: dict[str, Feature] = {
        VIDEO: {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"], "info": info}
    }
    for name in FRAME_ARRAYS:
        if name in clip.arrays:
            shape = list(clip.arrays[name].shape[1:])
            features[f"observation.{name}"] = {"dtype": "float32", "shape": shape, "names": _NAMES.get(name)}
    features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    return features | {name: {"dtype": "int64", "shape": [1], "names": None} for name in _COUNTED}


def frames_table(values: Mapping[str, npt.NDArray[np.generic]]) -> pa.Table:
    """Return the rows of the frames of an episode.

    Args:
        values: by feature, (N, ...) values, of one or two dimensions beside N; (N,) where a frame has one number.
    """
    columns: dict[str, pa.Array] = {}
    for name, array in values.items():
        if array.ndim == 1:
            columns[name] = pa.array(array)
        else:
            number = pa.float32()
            kind = pa.list_(number, array.shape[1]) if array.ndim == 2 else pa.list_(pa.list_(number))
            columns[name] = block_column(array.astype(np.float32), np.ones(len(array), np.bool_), kind)
    return pa.table(columns)


def episode_table(episode: Mapping[str, Any], clip: ExportedClip, statistics: Mapping[str, Statistics]) -> pa.Table:
    """Return the row that describes an episode.

    Args:
        episode: what LeRobot reads of it.
        clip: its facts become further columns, which LeRobot passes on.
        statistics: of its features.
    """
    schema, facts = CLIPS.arrow_schema(), {name: clip.facts[name] for name in FACTS}
    kinds: dict[str, pa.DataType] = {"tasks": pa.list_(pa.string()), "audio_path": pa.string()}
    columns = {name: pa.array([value], kinds.get(name)) for name, value in episode.items()}
    columns |= {name: pa.array([value], schema.field(name).type) for name, value in facts.items()}
    for feature, own in statistics.items():
        for name, value in own.items():
            columns[f"stats/{feature}/{name}"] = pa.array([value.tolist()])
    return pa.table(columns)


def tasks_table(task: str) -> pa.Table:
    """Return the only task, as the pandas frame that LeRobot reads: it is the index."""
    kinds = (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [
            {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object",
             "metadata": {"encoding": "UTF-8"}}
        ],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
            for name, kind, dtype in kinds
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.2.0",
    }  # fmt: skip
    rows = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([task])})
    return rows.replace_schema_metadata({"pandas": json.dumps(pandas, allow_nan=False)})
