"""The contrastive network of lips and sound, forward, in NumPy.

Each side turns its rows into one unit vector a tick: convolution over 5 ticks, convolution over 5 ticks two apart, both
followed by group normalisation and GELU, then a linear layer. The cosine of a lip vector and a sound vector says how
well the two fit. The normalisation is over the stretch, so that a score is that of a tick in its stretch. Teaching is
in `fitting`; `docs/explanation/sync_model_card.md` has data, figures and limits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from curation.perception.sync.mouth import N_MEASURES, mouth_measures
from foundation.array_types import Float32Array, Float64Array

__all__ = ["EDGE_TICKS", "N_COMPONENTS", "N_GROUPS", "Side", "SyncNetwork", "lag_scores", "sound_measures"]

N_COMPONENTS = 64
"""Principal components that are left of a row of Whisper."""

EDGE_TICKS = 7
"""Ticks at each end of a stretch without a score: the convolutions reach 6 ticks, the change per tick one more."""

_SLOW_TICKS = 14.0
"""Standard deviation of the Gaussian that gives the slow course of the sound: the voice and the room."""

N_GROUPS = 8
"""Groups of channels that are normalised together, over all ticks of a stretch (Wu and He, 2018)."""

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Side:
    """The layers of one side; C channels in, W wide, D out."""

    near: Float32Array
    """(5, C, W) first convolution, the kernel's ticks in order."""
    near_bias: Float32Array
    near_scale: Float32Array
    near_shift: Float32Array
    """(W,) each, of the normalisation after it."""
    far: Float32Array
    """(5, W, W) second convolution, over every other tick."""
    far_bias: Float32Array
    far_scale: Float32Array
    far_shift: Float32Array
    out: Float32Array
    """(W, D)."""
    out_bias: Float32Array

    def __call__(self, rows: Float32Array) -> Float32Array:
        """Return (T, D) unit vectors of (T, C) rows, whatever the number of threads."""
        hidden = _activated(_convolved(rows, self.near, 1) + self.near_bias, self.near_scale, self.near_shift)
        hidden = _activated(_convolved(hidden, self.far, 2) + self.far_bias, self.far_scale, self.far_shift)
        vectors = hidden @ self.out.astype(np.float64) + self.out_bias
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors.astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class SyncNetwork:
    """The network with all that prepares its input."""

    usual: Float32Array
    """(26,) mean deviation of each mouth measure over the people it was taught on."""
    mean: Float32Array
    """(384,) mean row of Whisper."""
    components: Float32Array
    """(384, 64) principal components over their deviation: what they give has deviation 1."""
    lips: Side
    sound: Side

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Return the network of a file's arrays by name; half precision becomes single.

        Raises:
            KeyError: an array is missing.
            ValueError: an array has another shape, or a number in it is not finite.
        """
        named = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
        network = cls(
            usual=named["usual"],
            mean=named["mean"],
            components=named["components"],
            lips=Side(**{name: named[f"lips.{name}"] for name in Side.__dataclass_fields__}),
            sound=Side(**{name: named[f"sound.{name}"] for name in Side.__dataclass_fields__}),
        )
        width, size = network.lips.out.shape
        for name, array in network.arrays().items():
            expected = _shape_of(name, width, size)
            if array.shape != expected:
                raise ValueError(f"array {name!r} has shape {array.shape}, not {expected}")
            if width % N_GROUPS:
                raise ValueError(f"{width} channels are not {N_GROUPS} groups")
            if not np.isfinite(array).all():
                raise ValueError(f"array {name!r} holds a number that is not finite")
        return network

    def arrays(self) -> dict[str, Float32Array]:
        """Return its arrays by name, as a file holds them."""
        own = {"usual": self.usual, "mean": self.mean, "components": self.components}
        sides = {"lips": self.lips, "sound": self.sound}
        return own | {
            f"{side}.{name}": getattr(layers, name)
            for side, layers in sides.items()
            for name in Side.__dataclass_fields__
        }

    def lip_vectors(self, lengths: Float64Array) -> Float32Array:
        """Return (T, 64) unit vectors of the (T, 26) `mouth_lengths` of one face."""
        return self.lips(mouth_measures(lengths, self.usual))

    def sound_vectors(self, speech: Float32Array) -> Float32Array:
        """Return (T, 64) unit vectors of (T, 384) rows of Whisper."""
        return self.sound(sound_measures(speech, self.mean, self.components))


def sound_measures(speech: Float32Array, mean: Float32Array, components: Float32Array) -> Float32Array:
    """Return (T, 64) whitened principal components of (T, 384) rows of Whisper, less their slow course."""
    from scipy.ndimage import gaussian_filter1d

    rows = (speech.astype(np.float32) - mean).astype(np.float64) @ components.astype(np.float64)
    slow = gaussian_filter1d(rows, _SLOW_TICKS, axis=0, mode="nearest")
    motion: Float32Array = np.asarray(rows - slow, dtype=np.float32)
    return motion


def lag_scores(lips: Float32Array, sound: Float32Array, lags: range) -> Float32Array:
    """Return the cosines of lips and later sound.

    Args:
        lips: (T, D) unit vectors.
        sound: (T, D) likewise.
        lags: ticks by which the sound is later.

    Returns:
        (T, len(lags)) cosines of tick t's lips and tick t + lag's sound; NaN where either is one of the `EDGE_TICKS`.
    """
    n_ticks = len(lips)
    scores = np.full((n_ticks, len(lags)), np.nan, dtype=np.float32)
    for column, lag in enumerate(lags):
        first, end = EDGE_TICKS + max(0, -lag), n_ticks - EDGE_TICKS - max(0, lag)
        if first < end:
            scores[first:end, column] = np.einsum("td,td->t", lips[first:end], sound[first + lag : end + lag])
    return scores


def _convolved(rows: Float32Array | Float64Array, kernel: Float32Array, dilation: int) -> Float64Array:
    """Return (T, W) the convolution of (T, C) rows with a (5, C, W) kernel, zeros beyond the ends.

    Products are taken in double precision: in single, the last digit of a sum depends on the number of threads, and
    scores that are stored in half precision would differ between machines, and between a worker and a process.
    """
    reach = len(kernel) // 2 * dilation
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    taps = [padded[tap * dilation : tap * dilation + len(rows)] for tap in range(len(kernel))]
    weights = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    return np.asarray(np.concatenate(taps, axis=1).astype(np.float64) @ weights)


def _activated(rows: Float64Array, scale: Float32Array, shift: Float32Array) -> Float64Array:
    """Return rows after group normalisation and GELU."""
    from scipy.special import erf

    groups = rows.reshape(len(rows), N_GROUPS, -1)
    centred = groups - groups.mean(axis=(0, 2), keepdims=True)
    deviation = np.sqrt(np.square(centred).mean(axis=(0, 2), keepdims=True) + _EPSILON)
    normal = (centred / deviation).reshape(rows.shape) * scale + shift
    return np.asarray(normal * (0.5 * (1.0 + erf(normal / np.sqrt(2.0)))))


def _shape_of(name: str, width: int, size: int) -> tuple[int, ...]:
    """Return the shape that an array has in a network of this width and this size of its vectors."""
    own = {"usual": (N_MEASURES,), "mean": (384,), "components": (384, N_COMPONENTS)}
    if name in own:
        return own[name]
    side, _, layer = name.partition(".")
    channels = 2 * N_MEASURES if side == "lips" else N_COMPONENTS
    layers = {"near": (5, channels, width), "far": (5, width, width), "out": (width, size), "out_bias": (size,)}
    return layers.get(layer, (width,))
