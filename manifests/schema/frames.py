"""Columns of `frames`: the evidence, one row per tick."""

import pyarrow as pa

from manifests.schema.columns import Column, Table
from manifests.schema.face_measures import FACE_MEASURES

__all__ = ["FACE_COLUMNS", "FRAMES"]

_F32 = pa.float32()


def _face(name: str, data_type: pa.DataType, unit: str, shape: str, meaning: str) -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=True)


def _tick(name: str, data_type: pa.DataType, unit: str, meaning: str) -> Column:
    return Column(name=name, type=data_type, unit=unit, shape="", meaning=meaning, nullable=False)


def _later(name: str, meaning: str, *then: str) -> Column:
    """Return a flag that files of earlier versions lack; `then` is what it would be there."""
    meaning = ", ".join((f"{meaning}; null in files of earlier versions", *then))
    return Column(name=name, type=pa.bool_(), unit="", shape="", meaning=meaning, nullable=True, later=True)


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
        _tick("video_id", pa.string(), "", "the video, as in `videos`"),
        _tick("tick", pa.int32(), "ticks", "number of the tick in the video, from 0"),
        _tick("time_s", pa.float64(), "s", "tick / 25: time after the first video frame"),
        _tick("decoded", pa.bool_(), "", "the file holds a trustworthy picture for the tick"),
        _tick("n_faces", pa.int16(), "faces", "faces seen"),
        _later(
            "measured",
            "everything was measured; false where no clip could lie, so that only grid ticks were searched",
            "all true",
        ),
        _later("grid", "the tick of its group of 5 that was searched by itself"),
        _TRACK,
        _tick("interpolated", pa.bool_(), "", "a short miss between two sightings, bridged by interpolation"),
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
