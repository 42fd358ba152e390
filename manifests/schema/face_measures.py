"""Measures of a face, each declared once: as an array of many faces and as a column of `frames`.

The code that joins, interpolates, writes or reads measures goes through `FACE_MEASURES`, so that another measure takes
one more field here and the code that measures it.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.array_types import BoolArray, Float32Array
from manifests.schema.columns import F32, Column, optional

__all__ = ["FACE_MEASURES", "SYNC_LAG_TICKS", "FaceMeasure", "FaceMeasures", "Measured"]

SYNC_LAG_TICKS = 15
"""Largest lag between lips and sound, either way, for which `FaceMeasures.sync_scores` has a score, ticks."""

Measured = npt.NDArray[np.generic]

_POINT = pa.list_(F32, 2)


def _column(
    name: str,
    data_type: pa.DataType,
    unit: str,
    meaning: str,
    shape: str = "",
    *,
    interpolated: bool = True,
    large: bool = False,
    sparse: bool = False,
    later: bool = False,
) -> dict[str, object]:
    """Return the metadata of a field: its column, and the other properties of `FaceMeasure`."""
    column = optional(name, data_type, unit, meaning, shape, later=later)
    return {"column": column, "interpolated": interpolated, "large": large, "sparse": sparse}


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMeasures:
    """Measures of R faces, one row each. A measure that not every model gives is None by default."""

    box_px: Float32Array = field(
        metadata=_column(
            "box", pa.list_(F32, 4), "source px", "x0, y0, x1, y1: the finder's rectangle of the face", "[4]"
        )
    )
    """(R, 4) x0, y0, x1, y1, source pixels."""
    score: Float32Array = field(metadata=_column("score", F32, "0 to 1", "the detector's confidence"))
    """(R,) the detector's confidence."""
    key_points_px: Float32Array = field(
        metadata=_column(
            "key_points",
            pa.list_(_POINT, 9),
            "source px",
            "in the order of manifests.landmarks.KEY_POINT_NAMES",
            "[9,2]",
        )
    )
    """(R, 9, 2) in the order of `manifests.landmarks.KEY_POINT_NAMES`."""
    landmarks_px: Float32Array = field(
        metadata=_column(
            "landmarks",
            pa.list_(_POINT),
            "source px",
            "all points of the scheme, where they are kept",
            "[K,2]",
            large=True,
        )
    )
    """(R, K, 2) source pixels."""
    pose_deg: Float32Array = field(metadata=_column("pose_deg", pa.list_(F32, 3), "deg", "pitch, yaw, roll", "[3]"))
    """(R, 3) pitch, yaw, roll."""
    blendshapes: Float32Array | None = field(
        default=None,
        metadata=_column(
            "blendshapes",
            pa.list_(pa.float16(), 52),
            "0 to 1",
            "ARKit-like; null where the model gives none",
            "[52]",
            large=True,
        ),
    )
    """(R, 52), or None where the model has none."""
    lip_aperture: Float32Array = field(
        metadata=_column("lip_aperture", F32, "face heights", "inner-lip height over face height")
    )
    """(R,) inner-lip height over face height."""
    mask_prob: Float32Array = field(
        metadata=_column("mask_prob", F32, "0 to 1", "probability that a mask or another cover hides the mouth")
    )
    """(R,) probability that a mask or another cover hides the mouth."""
    mask_measured: BoolArray = field(
        metadata=_column(
            "mask_measured",
            pa.bool_(),
            "",
            "`mask_prob` was measured on this tick; else it is interpolated between two measurements that agree",
            interpolated=False,
        )
    )
    """(R,) whether `mask_prob` was measured here; else it lies between two measurements of the face that agree."""
    sharpness: Float32Array = field(
        metadata=_column("sharpness", F32, "luma²", "variance of the Laplacian of the face crop")
    )
    """(R,) variance of the Laplacian of the face crop."""
    luma: Float32Array = field(metadata=_column("luma", F32, "0 to 255", "mean luma of the face crop"))
    """(R,) mean luma of the face crop, 0 to 255."""
    descriptor: Float32Array = field(
        metadata=_column(
            "descriptor",
            pa.list_(F32),
            "",
            "identity vector; taken once a second, null between",
            "[D]",
            interpolated=False,  # a descriptor is a measurement of one frame
        )
    )
    """(R, D) identity descriptor; NaN on the ticks where none is taken."""
    jitter_points_px: Float32Array | None = field(
        default=None,
        metadata=_column(
            "jitter_points",
            pa.list_(_POINT, 3),
            "source px",
            "nose tip, top left and bottom right corner of the face rectangle, by which the rule jitter judges; null "
            "where it takes landmarks and box",
            "[3,2]",
        ),
    )
    """(R, 3, 2) nose tip, top left and bottom right corner of the face rectangle, by which the rule `jitter` judges;
    None where it takes landmarks and box."""
    sync_scores: Float32Array | None = field(
        default=None,
        metadata=_column(
            "sync_scores",
            pa.list_(pa.float16(), 2 * SYNC_LAG_TICKS + 1),
            "-1 to 1",
            "how well the lips on this tick go with the sound -15 to 15 ticks later, a cosine per lag, NaN beyond the "
            "ends of a stretch; null where it was not measured",
            f"[{2 * SYNC_LAG_TICKS + 1}]",
            interpolated=False,
            sparse=True,
            later=True,
        ),
    )
    """(R, 31) cosine between the lips on the tick and the sound -15 to 15 ticks later, NaN where it was not measured;
    None where it was measured on no face."""
    speaking_prob: Float32Array | None = field(
        default=None,
        metadata=_column(
            "speaking_prob",
            F32,
            "0 to 1",
            "probability that this face is the one that speaks; null where it was not measured",
            interpolated=False,
            sparse=True,
            later=True,
        ),
    )
    """(R,) probability that the face is the one that speaks, NaN where it was not measured; None where it was measured
    on no face."""

    @property
    def width_px(self) -> Float32Array:
        """(R,) width of the box, source pixels: the unit of every relative measure."""
        return self.box_px[:, 2] - self.box_px[:, 0]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMeasure:
    """Declaration of one measure: the field of `FaceMeasures`, the column of `frames`, and how both are treated."""

    field: str
    column: Column
    optional: bool
    """Not every model gives it; where one does, every face has it unless it is sparse, and else the field is None."""
    interpolated: bool
    """Bridged misses are filled linearly; else nothing stands there."""
    large: bool
    """Makes up most of the bytes, and no built-in rule reads it."""
    sparse: bool
    """Measured on chosen faces only, and NaN on the others; an array of it may hold some numbers and lack others."""

    @property
    def is_flag(self) -> bool:
        """True for a truth value per face, False for numbers."""
        return bool(pa.types.is_boolean(self.column.type))

    @property
    def is_array(self) -> bool:
        """True for an array per face, False for one value."""
        return bool(pa.types.is_nested(self.column.type))

    def missing(self, *shape: int) -> Measured:
        """Return rows of the value that stands for a missing measurement: NaN, or False.

        Args:
            shape: of the rows, with the number of rows first.
        """
        return np.zeros(shape, dtype=np.bool_) if self.is_flag else np.full(shape, np.nan, dtype=np.float32)

    def unmeasured(self, n_rows: int) -> Measured | None:
        """Return rows where nothing was measured, of length 0 where the type leaves it open; None if optional."""
        if self.optional:
            return None
        shape, data_type = [n_rows], self.column.type
        while pa.types.is_nested(data_type):
            shape.append(data_type.list_size if pa.types.is_fixed_size_list(data_type) else 0)
            data_type = data_type.value_type
        return self.missing(*shape)


FACE_MEASURES: tuple[FaceMeasure, ...] = tuple(
    FaceMeasure(field=declared.name, optional=declared.default is None, **declared.metadata)
    for declared in dataclasses.fields(FaceMeasures)
)
