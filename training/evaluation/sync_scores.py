"""Sync-D, Sync-C and offset: how well lips and sound fit (Chung and Zisserman, "Out of time", 2016).

With v_t the embedding of the lips in the window of 5 frames that begins with frame t, and s_t that of the sound of the
same 0.2 s, the distance at lag k is d(k) = mean over t of |v_t - s_{t+k}|, for k from -15 to 15 frames. Then

    Sync-D = min over k of d(k),    Sync-C = median over k of d(k) - Sync-D,    offset = the k of the minimum.

These are LSE-D and LSE-C of Prajwal et al., "A lip sync expert is all you need", 2020. As in the published code, an
embedding before the first or after the last is a row of zeros, and the frames beside them count in the mean.

The offset here is positive where the sound is late: `sound_late_frames` = 2 says that what the lips do at frame t is
heard at frame t + 2. The published code, and the package syncnet-python, print its negative. That code also leaves out
the last window that would fit; here every window counts, so on a video of n frames there are n - 4.

Shapes: T windows, D components, L = 31 lags.
"""

from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from foundation.errors import UsageError

__all__ = ["MAX_LAG_FRAMES", "SyncScores", "sync_distances", "sync_scores"]

MAX_LAG_FRAMES = 15
"""Largest lag that is compared, 0.6 s at 25 frames a second; that of the published command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncScores:
    """Fit of the lips of one video to its sound."""

    distance: float
    """Sync-D, the lower the better. It depends on the network: GAIA's real videos have 8.548."""
    confidence: float
    """Sync-C, the higher the better; near 0 where no lag fits better than the others."""
    sound_late_frames: int
    """Frames by which the sound comes after the lips, negative where it comes before them."""
    n_windows: int


def sync_distances(lips_TD: Float32Array, sound_TD: Float32Array) -> Float64Array:
    """Return (T, 31) distances of the lips of each window from the sound -15 to 15 frames later.

    Args:
        lips_TD: (T, D) embeddings of the lips, a row a frame.
        sound_TD: (T, D) embeddings of the sound of the same windows.

    Raises:
        UsageError: the arrays are empty, or differ in shape.
    """
    if lips_TD.ndim != 2 or lips_TD.shape != sound_TD.shape or not lips_TD.size:
        raise UsageError(
            f"embeddings of lips and sound have the shapes {lips_TD.shape} and {sound_TD.shape}; give (T, D) of both"
        )
    padded = np.pad(sound_TD.astype(np.float64), ((MAX_LAG_FRAMES, MAX_LAG_FRAMES), (0, 0)))
    n_windows = len(lips_TD)
    shifted = (padded[first : first + n_windows] for first in range(2 * MAX_LAG_FRAMES + 1))
    return np.stack([np.linalg.norm(lips_TD - sound, axis=1) for sound in shifted], axis=1)


def sync_scores(distances_TL: Float64Array) -> SyncScores:
    """Return Sync-D, Sync-C and the offset from the distances of `sync_distances`.

    Raises:
        UsageError: the array has another shape.
    """
    if distances_TL.ndim != 2 or distances_TL.shape[1] != 2 * MAX_LAG_FRAMES + 1 or not len(distances_TL):
        raise UsageError(f"distances have the shape {distances_TL.shape}; give (T, {2 * MAX_LAG_FRAMES + 1})")
    distance_L = distances_TL.mean(axis=0)
    best = int(distance_L.argmin())
    return SyncScores(
        distance=float(distance_L[best]),
        confidence=float(np.median(distance_L) - distance_L[best]),
        sound_late_frames=best - MAX_LAG_FRAMES,
        n_windows=len(distances_TL),
    )
