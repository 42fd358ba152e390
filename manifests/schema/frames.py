"""Columns of `frames`: the evidence, one row per tick."""

import pyarrow as pa

from manifests.schema.columns import Column, Table
from manifests.schema.face_measures import FACE_MEASURES

__all__ = ["FACE_COLUMNS", "FRAMES"]

_F32 = pa.float32()


def _face(name: str, data_type: pa.DataType, unit: str, shape: str, meaning: str) -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=True)


_TRACK = _face(
    "track_id", pa.int32(), "", "", "track of the face; null where there is none, and where no clip could lie"
)

_FRONTAL_ANGLE = _face("frontal_angle_deg", _F32, "deg", "", "GAIA A.1: 180 for a frontal, upright face")

_BOX_AND_POINTS = tuple(m.column for m in FACE_MEASURES if m.column.name in ("box", "score", "key_points", "landmarks"))

_MEASURES = (_FRONTAL_ANGLE, *(m.column for m in FACE_MEASURES if m.column not in _BOX_AND_POINTS))

FACE_COLUMNS: tuple[Column, ...] = (_TRACK, *_BOX_AND_POINTS, *_MEASURES)
"""Columns of every face but the main one; the fields of `frames.other_faces`."""

FRAMES = Table(
    name="frames",
    meaning="Evidence: one row per 25 Hz tick of every analysed video, in order, but for ticks that were trimmed away. "
    "Face columns are about the main face and null where it was not seen.",
    row_group_rows=2048,
    columns=(
        Column(
            name="video_id", type=pa.string(), unit="", shape="", meaning="the video, as in `videos`", nullable=False
        ),
        Column(
            name="tick",
            type=pa.int32(),
            unit="ticks",
            shape="",
            meaning="number of the tick in the video, from 0",
            nullable=False,
        ),
        Column(
            name="time_s",
            type=pa.float64(),
            unit="s",
            shape="",
            meaning="tick / 25: time after the first video frame",
            nullable=False,
        ),
        Column(
            name="decoded",
            type=pa.bool_(),
            unit="",
            shape="",
            meaning="the file holds a trustworthy picture for the tick",
            nullable=False,
        ),
        Column(name="n_faces", type=pa.int16(), unit="faces", shape="", meaning="faces seen", nullable=False),
        Column(
            name="measured",
            type=pa.bool_(),
            unit="",
            shape="",
            meaning="faces were looked for; false where no clip could lie; null in files of earlier versions, all true",
            nullable=True,
            later=True,
        ),
        Column(
            name="grid",
            type=pa.bool_(),
            unit="",
            shape="",
            meaning="the tick of its group of 5 that was searched by itself; null in files of earlier versions",
            nullable=True,
            later=True,
        ),
        _TRACK,
        Column(
            name="interpolated",
            type=pa.bool_(),
            unit="",
            shape="",
            meaning="a short miss between two sightings, bridged by interpolation",
            nullable=False,
        ),
        *_BOX_AND_POINTS,
        _face("landmark_scheme", pa.string(), "", "", "numbering of the landmarks, a name in manifests.landmarks"),
        *_MEASURES,
        _face("cut_score", _F32, "model's own", "", "shot-boundary score between this tick and the one before"),
        _face("speech_prob", _F32, "0 to 1", "", "probability of speech; null without an audio stream"),
        _face("loudness_dbfs", _F32, "dBFS", "", "short-time level of the sound; null without an audio stream"),
        _face(
            "other_faces",
            pa.list_(pa.struct([column.field for column in FACE_COLUMNS])),
            "",
            "[F]",
            "the other faces of the tick, the widest first, each a struct of "
            + ", ".join(c.name for c in FACE_COLUMNS),
        ),
    ),
)
