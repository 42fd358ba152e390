"""Traces of a video: how the face moves and how loud the sound is, in a form that another encoding leaves unchanged.

A trace is made of what the table `frames` has of every tick, so nothing is measured again. The face gives six signals:
opening of the lips, pitch, yaw, roll, and its place in face widths. A crop moves and scales the picture, which a
difference in face widths does not show; a mirrored picture changes the sign of three of the six. The sound gives its
loudness in dB, of which an encoder changes hundredths, and an amplifier the mean alone.

From each signal its slow changes (over half a second and more) and its noise (below a tenth of a second) are removed,
and what is left is divided by its own deviation nearby. So a trace has no unit, and values of about 1.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from foundation.array_types import BoolArray, Float64Array, Int8Array

__all__ = ["MIRRORED", "N_SIGNALS", "TRACE_COLUMNS", "TRACE_UNIT", "Trace", "trace_of"]

TRACE_COLUMNS = (
    "track_id",
    "box",
    "key_points",
    "pose_deg",
    "lip_aperture",
    "speech_prob",
    "loudness_dbfs",
)
"""Columns of `frames` that a trace is made of; the finder's landmarks are not among them, so they need not be kept."""

MIRRORED = np.array([1, 1, -1, -1, 1, -1], dtype=np.int8)
"""(6,) factors of the signals of a face in a mirrored picture: lips, pitch, yaw, roll, height, side."""

N_SIGNALS = len(MIRRORED)

TRACE_UNIT = 1.0 / 40.0
"""Value of a step of a trace, which is stored in a byte: up to 3.2 deviations, and finer than its noise."""

_NOISE = (0.02, 1.5, 1.5, 0.8, 0.02, 0.02)
"""Noise of the signals of a face: of the aperture in face heights, of angles in degrees, of places in face widths.
Ours: the same face in two encodings. It keeps a face at rest from being blown up to a moving one."""

_LOUDNESS_NOISE_DB = 1.5

_QUIETEST_DB = 40.0
"""Sound that is quieter than the loudest nearby by more counts as this quiet: encoders change the noise of pauses."""

_FAST_TICKS, _SLOW_TICKS, _NEAR_TICKS = 1.5, 12.0, 25.0
"""Widths of Gaussians: what is faster is noise, what is slower is left out, what is nearby gives the deviation."""

_LOUDEST_WITHIN_TICKS = 251


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Signals of a video on every tick of which it has a row, in steps of `TRACE_UNIT`."""

    face: Int8Array
    """(T, 6) signals of the main face, in the order of `MIRRORED`; 0 where none was seen."""
    seen: BoolArray
    """(T,) whether the main face was seen."""
    sound: Int8Array
    """(T,) loudness; 0 without an audio stream."""
    speaks: BoolArray
    """(T,) whether there is rather speech than none; False without an audio stream."""


def trace_of(frames: pa.Table) -> Trace:
    """Return the trace of a video.

    Args:
        frames: its rows of the table `frames`, in order, with `TRACE_COLUMNS`.
    """
    track = _numbers(frames, "track_id")
    seen = ~np.isnan(track)
    face = np.zeros((len(frames), N_SIGNALS), dtype=np.int8)
    bounds = np.flatnonzero(np.diff(track, prepend=np.nan, append=np.nan) != 0)  # NaN differs from everything
    signals = _face_signals(frames)
    for first, end in pairwise(bounds.tolist()):
        if end - first > _SLOW_TICKS:
            for number, noise in enumerate(_NOISE):
                face[first:end, number] = _stored(_evened(signals[first:end, number], noise))
    loudness = _numbers(frames, "loudness_dbfs")
    sound = np.zeros(len(frames), dtype=np.int8)
    if len(frames) and not np.isnan(loudness).any():
        sound = _stored(_evened(_with_level_pauses(loudness), _LOUDNESS_NOISE_DB))
    return Trace(face=face, seen=seen, sound=sound, speaks=_numbers(frames, "speech_prob") > 0.5)


def _face_signals(frames: pa.Table) -> Float64Array:
    """Return (T, 6) signals as they were measured, NaN where there is no face."""
    box, points, pose = (
        _arrays(frames, name, shape) for name, shape in (("box", (4,)), ("key_points", (9, 2)), ("pose_deg", (3,)))
    )
    width_px = box[:, 2] - box[:, 0]
    known_px = width_px[width_px > 0]
    place = points.mean(axis=1) / (np.median(known_px) if len(known_px) else 1.0)
    return np.column_stack([_numbers(frames, "lip_aperture"), pose, place[:, 1], place[:, 0]])


def _with_level_pauses(loudness_db: Float64Array) -> Float64Array:
    from scipy.ndimage import maximum_filter1d

    loudest_db: Float64Array = maximum_filter1d(loudness_db, _LOUDEST_WITHIN_TICKS)
    return np.maximum(loudness_db, loudest_db - _QUIETEST_DB)


def _evened(signal: Float64Array, noise: float) -> Float64Array:
    """Return (T,) changes of a signal that are neither slow nor noise, over their deviation nearby."""
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(signal)
    if known.sum() < 2:
        return np.zeros(len(signal))
    tick = np.arange(len(signal))
    filled = np.interp(tick, tick[known], signal[known])
    changes = gaussian_filter1d(filled, _FAST_TICKS) - gaussian_filter1d(filled, _SLOW_TICKS)
    nearby: Float64Array = changes / (np.sqrt(gaussian_filter1d(changes**2, _NEAR_TICKS)) + noise)
    return nearby


def _stored(values: Float64Array) -> Int8Array:
    steps: Int8Array = np.clip(np.rint(values / TRACE_UNIT), -127, 127).astype(np.int8)
    return steps


def _numbers(frames: pa.Table, name: str) -> Float64Array:
    """Return (T,) numbers; null is NaN."""
    return np.asarray(frames[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def _arrays(frames: pa.Table, name: str, shape: tuple[int, ...]) -> Float64Array:
    """Return (T, *shape) arrays; null is NaN."""
    column = frames[name].combine_chunks()
    known = np.asarray(column.is_valid(), dtype=np.bool_)
    values = column.drop_null()
    while pa.types.is_fixed_size_list(values.type):
        values = values.flatten()
    arrays = np.full((len(known), *shape), np.nan)
    arrays[known] = np.asarray(values, dtype=np.float64).reshape(-1, *shape)
    return arrays
