"""What was measured of a video: one entry per tick, one per face in it. Models write it, rules read it."""

from dataclasses import dataclass

from foundation.array_types import BoolArray, Float32Array, Int64Array

__all__ = ["Evidence", "FaceMeasures", "Faces", "PictureEvidence", "SoundEvidence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceMeasures:
    """What is measured of R faces, one row each."""

    box_px: Float32Array
    """(R, 4) x0, y0, x1, y1, source pixels."""
    score: Float32Array
    """(R,) the detector's confidence."""
    key_points_px: Float32Array
    """(R, 9, 2) in the order of `manifests.landmarks.KEY_POINT_NAMES`."""
    landmarks_px: Float32Array
    """(R, K, 2) source pixels."""
    pose_deg: Float32Array
    """(R, 3) pitch, yaw, roll."""
    blendshapes: Float32Array | None
    """(R, 52), or None where the model has none."""
    lip_aperture: Float32Array
    """(R,) inner-lip height over face height."""
    mask_prob: Float32Array
    """(R,) probability that something worn covers the mouth."""
    mask_measured: BoolArray
    """(R,) whether `mask_prob` was measured here; else it lies between two measurements of the face that agree."""
    sharpness: Float32Array
    """(R,) variance of the Laplacian of the face crop."""
    luma: Float32Array
    """(R,) mean luma of the face crop, 0 to 255."""
    descriptor: Float32Array
    """(R, D) identity descriptor; NaN on the ticks where none is taken."""
    jitter_points_px: Float32Array | None = None
    """(R, 3, 2) nose tip, top left and bottom right corner of the face rectangle, by which the rule `jitter` judges;
    None where it takes landmarks and box."""

    @property
    def width_px(self) -> Float32Array:
        """(R,) width of the box, source pixels: the unit of every relative measure."""
        return self.box_px[:, 2] - self.box_px[:, 0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Faces(FaceMeasures):
    """All faces of a stretch of ticks, in the order of their ticks and, within a tick, the widest first."""

    tick: Int64Array
    """(F,) tick, counted from the start of the stretch."""

    def __len__(self) -> int:
        return len(self.tick)


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureEvidence:
    """What the pictures of a stretch of T ticks show."""

    decoded: BoolArray
    """(T,) False where the file holds no trustworthy picture for the tick."""
    faces: Faces
    cut_score: Float32Array
    """(T,) shot-boundary score between the tick and the one before."""
    trimmed: BoolArray | None = None
    """(T,) True where the tick lies outside the stretches asked for: nothing of it was looked at. None: nowhere."""

    def __len__(self) -> int:
        return len(self.decoded)


@dataclass(frozen=True, kw_only=True)  # no slots: two bases of one class cannot both have them
class SoundEvidence:
    """What a stretch of T ticks sounds like."""

    speech_prob: Float32Array | None
    """(T,) probability of speech; None without an audio stream."""
    loudness_dbfs: Float32Array | None
    """(T,) level; None without an audio stream."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence(PictureEvidence, SoundEvidence):
    """All measurements of a stretch of T ticks."""
