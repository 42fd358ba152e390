"""The main face's measurements as one series over the ticks of a video, short misses interpolated."""

from dataclasses import dataclass

import numpy as np

from curation.evidence import Faces
from curation.tracks import MainTrack
from manifests.arrays import Float32Array

__all__ = ["MainFace", "main_face"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MainFace:
    """(T, ...) measurements of the main face; NaN on ticks without one."""

    box_px: Float32Array
    score: Float32Array
    key_points_px: Float32Array
    landmarks_px: Float32Array
    pose_deg: Float32Array
    blendshapes: Float32Array | None
    lip_aperture: Float32Array
    mask_prob: Float32Array
    sharpness: Float32Array
    luma: Float32Array
    descriptor: Float32Array

    @property
    def width_px(self) -> Float32Array:
        """(T,) width of the box, source pixels."""
        return self.box_px[:, 2] - self.box_px[:, 0]


def main_face(faces: Faces, main: MainTrack) -> MainFace:
    """Return the series of the main face; on bridged ticks linear between the sightings on either side.

    Identity descriptors are not interpolated: a descriptor is a measurement of one picture.
    """
    n = len(main.face)
    seen = np.flatnonzero(main.face >= 0)
    index = main.face[seen]
    bridged = np.flatnonzero(main.bridged)
    right = np.searchsorted(seen, bridged)
    before, after = seen[right - 1], seen[np.minimum(right, len(seen) - 1)] if len(seen) else seen
    share = ((bridged - before) / np.maximum(after - before, 1)).astype(np.float32)

    def series(values: Float32Array, *, interpolate: bool = True) -> Float32Array:
        whole = np.full((n, *values.shape[1:]), np.nan, dtype=np.float32)
        whole[seen] = values[index]
        if interpolate and len(bridged):
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            whole[bridged] = whole[before] * (1 - weight) + whole[after] * weight
        return whole

    return MainFace(
        box_px=series(faces.box_px),
        score=series(faces.score),
        key_points_px=series(faces.key_points_px),
        landmarks_px=series(faces.landmarks_px),
        pose_deg=series(faces.pose_deg),
        blendshapes=None if faces.blendshapes is None else series(faces.blendshapes),
        lip_aperture=series(faces.lip_aperture),
        mask_prob=series(faces.mask_prob),
        sharpness=series(faces.sharpness),
        luma=series(faces.luma),
        descriptor=series(faces.descriptor, interpolate=False),
    )
