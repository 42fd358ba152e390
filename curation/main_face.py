"""The main face's measurements as one series over the ticks of a video, short misses interpolated."""

import numpy as np

from curation.evidence import FaceMeasures, Faces
from curation.tracks import MainTrack
from manifests.arrays import Float32Array

__all__ = ["main_face"]


def main_face(faces: Faces, main: MainTrack) -> FaceMeasures:
    """Return one row per tick: the main face; NaN without one; on bridged ticks linear between the sightings beside.

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

    mask_measured = np.zeros(n, dtype=np.bool_)
    mask_measured[seen] = faces.mask_measured[index]

    return FaceMeasures(
        box_px=series(faces.box_px),
        score=series(faces.score),
        key_points_px=series(faces.key_points_px),
        landmarks_px=series(faces.landmarks_px),
        pose_deg=series(faces.pose_deg),
        blendshapes=None if faces.blendshapes is None else series(faces.blendshapes),
        lip_aperture=series(faces.lip_aperture),
        mask_prob=series(faces.mask_prob),
        mask_measured=mask_measured,
        sharpness=series(faces.sharpness),
        luma=series(faces.luma),
        descriptor=series(faces.descriptor, interpolate=False),
        jitter_points_px=None if faces.jitter_points_px is None else series(faces.jitter_points_px),
    )
