"""DeepFilterNet 3 over a whole clip in one pass: the network's three parts in ONNX Runtime, the rest in NumPy.

The official runtime takes hops of 10 ms one by one, as a telephone needs it; a clip is there from its first to its last
sample, so that each layer can take all hops at once, in a quarter of the time. Weights, features and filters are those
of libDF (libDF/src/lib.rs, libDF/src/tract.rs), and so are the samples but for rounding.
"""

import tarfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from foundation.array_types import Complex64Array, Float32Array, Int64Array

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["HOP", "DeepFilterNetwork"]

HOP = 480
"""Samples of 48 kHz by which windows follow one another, 10 ms."""

_WINDOW = 2 * HOP

_BINS = HOP + 1

_BANDS = 32

_FILTERED_BINS = 96
"""Bins, up to 4.8 kHz, that the second stage filters; those above have the gains of the first stage."""

_ORDER = 5
"""Windows that the filter of one window reads: itself, two before and two after."""

_LOOKAHEAD = 2

_MEMORY = np.float32(0.99)
"""Of the running means that the features are relative to, per hop: exp(-0.01 s / 1 s), to two digits as in libDF."""

_ENCODED = ("e0", "e1", "e2", "e3", "emb", "c0")


class DeepFilterNetwork:
    """The three parts of the network, one thread each."""

    def __init__(self, model: Path, max_attenuation_db: float) -> None:
        """Load the parts.

        Args:
            model: the official tar file with `enc.onnx`, `erb_dec.onnx` and `df_dec.onnx`.
            max_attenuation_db: the most by which anything is lowered, dB; 100 sets no limit.
        """
        with tarfile.open(model) as archive:
            self._parts = {
                PurePosixPath(member.name).stem: _session(file.read())
                for member in archive
                if member.name.endswith(".onnx") and (file := archive.extractfile(member)) is not None
            }
        self._noisy_share = np.float32(0.0 if max_attenuation_db >= 100.0 else 10.0 ** (-max_attenuation_db / 20.0))

    def __call__(self, audio_48k: Float32Array) -> Float32Array:
        """Return (HOP N,) enhanced samples for (HOP N,) of 48 kHz, three hops late, as the runtime gives them."""
        from scipy.fft import irfft, rfft

        windows = np.lib.stride_tricks.sliding_window_view(np.pad(audio_48k, (HOP, 0)), _WINDOW)[::HOP]
        spectrum = (rfft(windows * _window(), axis=1) / np.float32(_WINDOW)).astype(np.complex64)
        gains, filters = self._estimates(spectrum)
        # Row t of `past` is window t - 4; what is estimated at t is meant for window t - 2, with two of lookahead.
        past = np.pad(spectrum, ((_ORDER - 1, 0), (0, 0)))
        n = len(spectrum)
        noisy = past[_ORDER - 1 - _LOOKAHEAD :][:n]
        enhanced = noisy * np.repeat(gains, _band_bins(), axis=1)
        enhanced[:, :_FILTERED_BINS] = sum(
            past[tap : tap + n, :_FILTERED_BINS] * filters[:, :, tap] for tap in range(_ORDER)
        )
        enhanced += self._noisy_share * (noisy - enhanced)
        waves = irfft(enhanced * np.float32(_WINDOW), _WINDOW, axis=1) * _window()
        hops: Float32Array = waves[:, :HOP]
        hops[1:] += waves[:-1, HOP:]
        return hops.reshape(-1)

    def _estimates(self, spectrum: Complex64Array) -> tuple[Float32Array, Complex64Array]:
        """Return the (N, 32) gains and the (N, 96, 5) filters of a (N, 481) spectrum."""
        encoded = dict(
            zip(
                _ENCODED,
                self._parts["enc"].run(_ENCODED, {"feat_erb": _loudness(spectrum), "feat_spec": _shape(spectrum)}),
                strict=True,
            )
        )
        filters = self._parts["df_dec"].run(["coefs"], {name: encoded[name] for name in ("emb", "c0")})[0]
        del encoded["c0"]  # by far the largest
        gains: Float32Array = self._parts["erb_dec"].run(["m"], encoded)[0][0, 0]
        pairs = np.ascontiguousarray(filters).reshape(len(spectrum), _FILTERED_BINS, _ORDER, 2)
        taps: Complex64Array = pairs.view(np.complex64)[..., 0]
        return gains, taps


def _session(model: bytes) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Clips have many lengths: an arena and its plans would keep the memory of the longest one.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _loudness(spectrum: Complex64Array) -> Float32Array:
    """Return the (1, 1, N, 32) loudness of bands of a (N, 481) spectrum over its running mean, in units of 40 dB."""
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    sizes = _band_bins()
    means = np.add.reduceat(power, np.cumsum(sizes) - sizes, axis=1) / sizes.astype(np.float32)
    loudness_db = (np.float32(10.0) * np.log10(means + np.float32(1e-10))).astype(np.float32)
    start_db = np.linspace(-60.0, -90.0, _BANDS, dtype=np.float32)
    relative: Float32Array = (loudness_db - _running_mean(loudness_db, start_db)) / np.float32(40.0)
    return relative[None, None]


def _shape(spectrum: Complex64Array) -> Float32Array:
    """Return the (1, 2, N, 96) lower bins of a (N, 481) spectrum over the root of their running mean size."""
    lower = spectrum[:, :_FILTERED_BINS]
    mean = _running_mean(np.abs(lower), np.linspace(1e-3, 1e-4, _FILTERED_BINS, dtype=np.float32))
    relative = lower / np.sqrt(mean)
    parts: Float32Array = np.stack([relative.real, relative.imag])
    return parts[None]


def _running_mean(values: Float32Array, start: Float32Array) -> Float32Array:
    means, mean = np.empty_like(values), start
    for row, value in enumerate(values):
        mean = value * (np.float32(1.0) - _MEMORY) + mean * _MEMORY
        means[row] = mean
    return means


@cache
def _window() -> Float32Array:
    """Return Vorbis's window, whose squares at a distance of one hop add up to 1."""
    rise = np.sin(np.pi / 2 * (np.arange(_WINDOW) + 0.5) / HOP)
    window: Float32Array = np.sin(np.pi / 2 * rise**2).astype(np.float32)
    return window


@cache
def _band_bins() -> Int64Array:
    """Return the (32,) numbers of bins, 50 Hz each, of bands of equal width on the ERB scale, at least two each."""
    scale, corner_hz = 9.265, 24.7 * 9.265
    step = scale * np.log1p(24_000.0 / corner_hz) / _BANDS
    ends = np.rint(corner_hz * np.expm1(step * np.arange(1, _BANDS + 1) / scale) / 50.0).astype(np.int64)
    sizes, last, ahead = [], 0, 0
    for end in ends.tolist():
        size = end - last - ahead
        ahead = max(0, 2 - size)
        sizes.append(max(2, size))
        last = end
    sizes[-1] += _BINS - sum(sizes)
    return np.array(sizes, dtype=np.int64)
