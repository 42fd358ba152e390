"""Mouth measures: how the lips of a face move, whoever it is and however near the camera.

Twelve lengths around the mouth come from landmarks, on axes that turn with the eyes and in units of the nose; fourteen
numbers come from blendshapes, the two sides averaged. Each is then a deviation from its own slow course, in units of
its own spread, so that neither the shape of a face nor the strength of its expression is left; its change per tick
stands beside it.
"""

import numpy as np

from foundation.array_types import Float32Array, Float64Array

__all__ = ["N_MEASURES", "deviations", "mouth_lengths", "mouth_measures", "spread_units"]

N_MEASURES = 26
"""Measures of a mouth per tick: 12 lengths, 14 blendshapes."""

_BRIDGE, _NOSE_BASE, _CHIN = 168, 2, 152
"""Nose between the brows, where it meets the upper lip, point of the chin."""

_EYES = ((33, 133), (362, 263))
"""Corners of the right eye, of the left eye."""

_HEIGHTS = ((13, 14), (81, 178), (311, 402), (0, 17), (0, 13), (14, 17), (2, 0), (2, 17), (2, 152))
"""Pairs of points, the second below the first: opening of the inner lips in the middle, right and left; outer lips;
upper lip; lower lip; nose to upper lip, to lower lip, to chin."""

_WIDTHS = ((61, 291), (78, 308))
"""Pairs of points, the second left of the first: corners of the outer and the inner lips."""

_CORNERS = (61, 291)

_BLENDSHAPES = (
    (25,),  # jawOpen
    (27,),  # mouthClose
    (28, 29),  # mouthDimple
    (30, 31),  # mouthFrown
    (32,),  # mouthFunnel
    (34, 35),  # mouthLowerDown
    (36, 37),  # mouthPress
    (38,),  # mouthPucker
    (40,),  # mouthRollLower
    (41,),  # mouthRollUpper
    (42,),  # mouthShrugLower
    (43,),  # mouthShrugUpper
    (44, 45, 46, 47),  # mouthSmile, mouthStretch
    (48, 49),  # mouthUpperUp
)
"""Indices of blendshapes in MediaPipe's order, those of one measure together."""

_SMOOTH_NOSE_TICKS = 13

_FAST_TICKS, _SLOW_TICKS = 0.55, 14.0
"""Standard deviations of the two Gaussians between which the motion of speech lies."""

_SHARE_OF_MEAN = 0.25
"""How much of the usual deviation is added to a stretch's own: a mouth at rest is not blown up to speech."""


def mouth_lengths(landmarks_px: Float32Array, blendshapes: Float32Array) -> Float64Array:
    """Return the lengths and blendshapes of a mouth, before they are compared with their own course.

    Args:
        landmarks_px: (T, 478, 2) landmarks of one face on ticks that follow one another, pixels.
        blendshapes: (T, 52) in MediaPipe's order, 0 to 1.

    Returns:
        (T, 26) 12 lengths in nose lengths, 14 blendshapes.
    """
    from scipy.ndimage import uniform_filter1d

    points = landmarks_px.astype(np.float64)
    right, left = (points[:, list(corners)].mean(axis=1) for corners in _EYES)
    along = left - right
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    down = np.stack([-along[:, 1], along[:, 0]], axis=1)
    nose = np.linalg.norm(points[:, _NOSE_BASE] - points[:, _BRIDGE], axis=1)
    nose = np.maximum(uniform_filter1d(nose, _SMOOTH_NOSE_TICKS, mode="nearest"), 1.0)

    def span(pair: tuple[int, int], axis: Float64Array) -> Float64Array:
        length: Float64Array = np.einsum("ti,ti->t", points[:, pair[1]] - points[:, pair[0]], axis)
        return length

    corners = points[:, list(_CORNERS)].mean(axis=1) - points[:, _NOSE_BASE]
    lengths = [span(pair, down) for pair in _HEIGHTS] + [span(pair, along) for pair in _WIDTHS]
    lengths.append(np.einsum("ti,ti->t", corners, down))
    shapes = [blendshapes[:, list(sides)].astype(np.float64).mean(axis=1) for sides in _BLENDSHAPES]
    return np.stack([length / nose for length in lengths] + shapes, axis=1)


def deviations(lengths: Float64Array) -> Float64Array:
    """Return lengths less their slow course, smoothed over half a tick: (T, 26) to (T, 26)."""
    from scipy.ndimage import gaussian_filter1d

    fast = gaussian_filter1d(lengths, _FAST_TICKS, axis=0, mode="nearest")
    motion: Float64Array = fast - gaussian_filter1d(lengths, _SLOW_TICKS, axis=0, mode="nearest")
    return motion


def spread_units(motion: Float64Array, usual: Float32Array) -> Float64Array:
    """Return (T, 26) deviations in units of their spread, of which a part is the `usual` one, (26,)."""
    scaled: Float64Array = motion / (motion.std(axis=0) + _SHARE_OF_MEAN * usual)
    return scaled


def mouth_measures(lengths: Float64Array, usual: Float32Array) -> Float32Array:
    """Return what the network takes of a mouth.

    Args:
        lengths: (T, 26) of `mouth_lengths`.
        usual: (26,) mean deviation of each measure over many people.

    Returns:
        (T, 52) 26 deviations in units of their spread, then their changes per tick.
    """
    scaled = spread_units(deviations(lengths), usual)
    change = np.gradient(scaled, axis=0) if len(scaled) > 1 else np.zeros_like(scaled)
    return np.concatenate([scaled, change], axis=1).astype(np.float32)
