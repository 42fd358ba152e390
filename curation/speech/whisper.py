"""Whisper tiny.en's encoder (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022).

The weights are `Systran/faster-whisper-tiny.en`, OpenAI's in the format of CTranslate2, under the MIT licence; the
asset registry supplies them. The encoder always takes windows of 30 s: 3000 frames of a log-mel spectrogram of 80 bands
in, 1500 frames of 384 numbers out.

Time: log-mel frame m is centred at 0.01 m s (400 samples around sample 160 m). The first convolution of the encoder
keeps the rate, the second takes every other frame, and both are centred; so encoder frame i is centred at 0.02 i s, and
the middle of tick k, (k + 0.5) / 25 s, is that of frame 2 k + 1. benchmarks/results/2026-11-speech.md has it.

The encoder adds its position in the window to every frame, so that the features of a section depend on its position:
rows are exact in time, but equal only for equal clips.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.speech.cards import EncoderCard
from curation.speech.protocols import SpeechClip
from foundation.array_types import Float16Array, Float32Array, Float64Array
from foundation.weights import asset_path
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK

if TYPE_CHECKING:
    from ctranslate2.models import Whisper

__all__ = ["HOP", "WHISPER_TINY", "WhisperTinyEncoder", "log_mel", "whisper_model"]

_FFT = 400

HOP = 160
"""Samples from one frame of the log-mel spectrogram to the next."""

_N_MELS = 80

_DYNAMIC_RANGE = 8.0
"""Decades of power below the loudest point at which the log-mel spectrogram ends."""

_MELS_PER_TICK = SAMPLES_PER_TICK // HOP

_COLUMNS_AT_ONCE = 3000
"""Frames of the spectrogram that are computed together, 30 s, so that long speech takes little memory."""

_WINDOW_TICKS = 750
"""30 s, all that the encoder takes at once."""

_OVERLAP_TICKS = 124
"""About 5 s, shared by two windows of a longer clip: no row comes from within 2.4 s of a cut that a window makes."""

_CHUNK_TICKS, _CHUNK_MARGIN_TICKS = 225, 12
"""Longest chunk of `WhisperTinyEncoder.chunk_rows`, and what is read beyond each of its ends: with both, 10 s."""


class WhisperTinyEncoder:
    """Encodes speech with the encoder of Whisper tiny.en."""

    name = "whisper-tiny.en"
    dim = 384

    def __init__(self, model_folder: Path | None = None) -> None:
        """Load the weights for one thread of the processor; encoders of one process share them.

        Args:
            model_folder: a CTranslate2 model of Whisper tiny.en; by default the one that the asset registry supplies.

        Raises:
            MissingAssetsError: the registry does not find the weights.
        """
        self._model = whisper_model(asset_path(self.name) if model_folder is None else model_folder)

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        """Return (n_ticks, 384) features of (S,) samples of 16 kHz mono; row k is centred at (k + 0.5) / 25 s.

        Audio that ends before the last tick is followed by silence. A clip of more than 30 s is encoded in windows that
        overlap by 5 s.
        """
        starts = range(0, max(1, n_ticks - _OVERLAP_TICKS), _WINDOW_TICKS - _OVERLAP_TICKS)
        audio = np.zeros((starts[-1] + _WINDOW_TICKS) * SAMPLES_PER_TICK, dtype=np.float32)
        own = audio_16k[: n_ticks * SAMPLES_PER_TICK]
        audio[: own.size] = own
        mel = log_mel(audio)
        rows = np.empty((n_ticks, self.dim), dtype=np.float16)
        for start in starts:
            # The second half of an overlap is the next window's: it overwrites from the middle of the overlap on.
            skipped = 0 if start == 0 else _OVERLAP_TICKS // 2
            encoded = self._encode(mel[:, start * _MELS_PER_TICK :][:, : _WINDOW_TICKS * _MELS_PER_TICK])
            rows[start + skipped : start + _WINDOW_TICKS] = encoded[skipped : n_ticks - start]
        return rows

    def encode_clips(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        """Return the features of each clip, one after the other."""
        return [self(clip.audio_16k, clip.n_ticks) for clip in clips]

    def try_out(self, clip: SpeechClip) -> Float16Array:
        """Return (n_ticks, 384) rows of a clip that is not filled up to 30 s, in a fraction of the time."""
        return self.chunk_rows(clip.audio_16k, clip.n_ticks).astype(np.float16)

    def chunk_rows(self, audio_16k: Float32Array, n_ticks: int) -> Float32Array:
        """Return (n_ticks, 384) rows as `__call__` does, from chunks of about 10 s that are not filled up to 30 s.

        A second takes half the time that it takes in a window of 30 s, and much less in a short clip; the rows differ,
        so a network takes those that it was taught on. Chunks are of one length and read half a second beyond each end.
        """
        n_own = min(audio_16k.size, n_ticks * SAMPLES_PER_TICK)
        audio = np.zeros(n_ticks * SAMPLES_PER_TICK, dtype=np.float32)
        audio[:n_own] = audio_16k[:n_own]
        n_chunks = -(-n_ticks // _CHUNK_TICKS)
        edges = [n_ticks * number // n_chunks for number in range(n_chunks + 1)] if n_chunks else []
        rows = np.empty((n_ticks, self.dim), dtype=np.float32)
        for first, end in pairwise(edges):
            begin, stop = max(0, first - _CHUNK_MARGIN_TICKS), min(n_ticks, end + _CHUNK_MARGIN_TICKS)
            encoded = self._encode(log_mel(audio[begin * SAMPLES_PER_TICK : stop * SAMPLES_PER_TICK]))
            rows[first:end] = encoded[first - begin : end - begin]
        return rows

    def _encode(self, mel: Float32Array) -> Float16Array:
        """Return (T, 384) features of one window, one row per tick, given its (80, 4 T) log-mel frames."""
        from ctranslate2 import StorageView

        frames = np.asarray(self._model.encode(StorageView.from_array(np.ascontiguousarray(mel[np.newaxis]))))
        return frames[0, 1::2].astype(np.float16)


WHISPER_TINY = EncoderCard(
    name=WhisperTinyEncoder.name,
    assets=(WhisperTinyEncoder.name,),
    runtime="ctranslate2",
    load=lambda _settings: WhisperTinyEncoder(),
)


def log_mel(audio_16k: Float32Array, n_mels: int = _N_MELS) -> Float32Array:
    """Return Whisper's log-mel spectrogram.

    As Whisper defines it: Hann windows of 400 samples every 160, centred, the audio mirrored at its ends; power in
    mel bands; decadic logarithm, cut off 8 below the largest value; then (x + 4) / 4.

    Args:
        audio_16k: (S,) samples of 16 kHz mono, at least 201.
        n_mels: number of bands; Whisper large-v3 has 128, the others 80.

    Returns:
        (n_mels, S // 160); column m is centred at 0.01 m s.
    """
    padded = np.pad(audio_16k.astype(np.float64), _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::HOP][: audio_16k.size // HOP]
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_FFT) / _FFT)
    log_power = np.empty((n_mels, len(frames)))
    for first in range(0, len(frames), _COLUMNS_AT_ONCE):
        power = np.square(np.abs(np.fft.rfft(frames[first : first + _COLUMNS_AT_ONCE] * hann, axis=1)))
        log_power[:, first : first + _COLUMNS_AT_ONCE] = np.log10(np.maximum(_mel_bands(n_mels) @ power.T, 1e-10))
    limited: Float64Array = np.maximum(log_power, log_power.max() - _DYNAMIC_RANGE)
    return ((limited + 4.0) / 4.0).astype(np.float32)


@cache
def whisper_model(folder: Path) -> "Whisper":
    """Return a model of Whisper for one thread of the processor, loaded once a process."""
    from ctranslate2.models import Whisper

    # float32: eight-bit weights change the features by 5 % of their norm and save a sixth of the time.
    return Whisper(str(folder), device="cpu", compute_type="float32", inter_threads=1, intra_threads=1)


@cache
def _mel_bands(n_mels: int) -> Float64Array:
    """Return (n_mels, 201) weights of the bands: triangles even on Slaney's mel scale from 0 to 8 kHz, of area one.

    Slaney's scale (Auditory Toolbox, 1998) has 15 mel in the first kilohertz, then 27 per factor of 6.4.
    """
    edges_mel = np.linspace(0.0, 15.0 + 27.0 * np.log(8.0) / np.log(6.4), n_mels + 2)
    edges_hz = np.where(edges_mel < 15.0, edges_mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((edges_mel - 15.0) / 27.0))
    bins_hz = np.fft.rfftfreq(_FFT, 1.0 / AUDIO_RATE_HZ)
    low_hz, centre_hz, high_hz = (edges_hz[i : i + _N_MELS, np.newaxis] for i in range(3))
    rising = (bins_hz - low_hz) / (centre_hz - low_hz)
    falling = (high_hz - bins_hz) / (high_hz - centre_hz)
    weights: Float64Array = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high_hz - low_hz)
    return weights
