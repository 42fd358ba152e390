"""Columns of `frames`: the evidence, one row per tick."""

import pyarrow as pa

from manifests.schema.columns import Column, Table

__all__ = ["FACE_COLUMNS", "FRAMES"]

_F32 = pa.float32()

_POINT = pa.list_(_F32, 2)


def _face(name: str, data_type: pa.DataType, unit: str, shape: str, meaning: str) -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=True)


_TRACK = _face("track_id", pa.int32(), "", "", "track of the face; null where there is none")

_BOX_AND_POINTS = (
    _face("box", pa.list_(_F32, 4), "source px", "[4]", "x0, y0, x1, y1: the finder's rectangle of the face"),
    _face("score", _F32, "0 to 1", "", "the detector's confidence"),
    _face(
        "key_points", pa.list_(_POINT, 9), "source px", "[9,2]", "in the order of manifests.landmarks.KEY_POINT_NAMES"
    ),
    _face("landmarks", pa.list_(_POINT), "source px", "[K,2]", "all points of the scheme, where they are kept"),
)

_MEASURES = (
    _face("frontal_angle_deg", _F32, "deg", "", "GAIA A.1: 180 for a frontal, upright face"),
    _face("pose_deg", pa.list_(_F32, 3), "deg", "[3]", "pitch, yaw, roll"),
    _face("blendshapes", pa.list_(pa.float16(), 52), "0 to 1", "[52]", "ARKit-like; null where the model gives none"),
    _face("lip_aperture", _F32, "face heights", "", "inner-lip height over face height"),
    _face("mask_prob", _F32, "0 to 1", "", "probability that something worn covers mouth and nose"),
    _face(
        "mask_measured",
        pa.bool_(),
        "",
        "",
        "`mask_prob` was measured on this tick; else it is interpolated between two measurements that agree",
    ),
    _face("sharpness", _F32, "luma²", "", "variance of the Laplacian of the face crop"),
    _face("luma", _F32, "0 to 255", "", "mean luma of the face crop"),
    _face("descriptor", pa.list_(_F32), "", "[D]", "identity vector; taken once a second, null between"),
    _face(
        "jitter_points",
        pa.list_(_POINT, 3),
        "source px",
        "[3,2]",
        "nose tip, top left and bottom right corner of the face rectangle, by which the rule jitter judges; null where "
        "it takes landmarks and box",
    ),
)

FACE_COLUMNS: tuple[Column, ...] = (_TRACK, *_BOX_AND_POINTS, *_MEASURES)
"""What is kept of every face beside the main one; the fields of `frames.other_faces`."""

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
