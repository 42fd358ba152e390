"""Voice activity detector Silero VAD 6 (MIT), on onnxruntime and without torch.

The network reads windows of 512 samples (32 ms), each with the 64 samples before it, and carries an LSTM state from
window to window. Its file for whole sequences processes a block of windows in one call and gives the same numbers as
the streaming file, several times faster (benchmarks/results/2026-11-speech.md). Both files come inside the package
`silero-vad`.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from curation.model_cards import package_weights
from curation.perception.cards import PerceptionCard
from foundation.array_types import Float32Array
from manifests.timeline import SAMPLES_PER_TICK

__all__ = ["SILERO_VOICE", "SileroVoice", "silero_model_path"]

_WINDOW_SAMPLES = 512

_CONTEXT_SAMPLES = 64

_BLOCK_WINDOWS = 512
"""Windows per call of the network, 16.4 s: bounds its memory; the state is carried, so the answer is the same."""

_STATE_SHAPE = (1, 1, 128)

_MODEL_FILE = "silero_vad_16k_sequence.onnx"


def silero_model_path() -> Path:
    """Return the path of the model file in the package `silero-vad`, without importing it (it imports torch).

    Raises:
        FileNotFoundError: the package is not installed, or is a version that has no such file.
    """
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("voice detection needs the package silero-vad; pip install 'silero-vad>=6.2.3'")
    path = Path(spec.submodule_search_locations[0]) / "data" / _MODEL_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: this silero-vad has no such file; pip install 'silero-vad>=6.2.3'")
    return path


class SileroVoice:
    """Voice activity detector.

    Every call starts from the empty state. What came before the first sample matters for a short while, so that a
    window cut out of a longer video should bring some audio in front of it, in steps of 4 ticks (2560 samples, the
    smallest whole number of both ticks and windows): benchmarks/results/2026-11-speech.md has the measurement.
    """

    def __init__(self) -> None:
        """Load the network; one thread.

        Raises:
            FileNotFoundError: the package `silero-vad` or its model file is missing.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(silero_model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, pieces: Iterable[Float32Array], n_ticks: int) -> Float32Array:
        """Return the (n_ticks,) probability of speech at the centre of each tick.

        Args:
            pieces: adjacent pieces of one recording, (S,) samples at 16 kHz, mono, -1 to 1, tick 0 at the first sample;
                one is held at a time. Samples after the last tick are not used; where the audio ends early, silence
                follows.
            n_ticks: number of ticks.

        Returns:
            The network's probabilities, interpolated between the centres of its windows.

        Raises:
            ValueError: a piece has more than one dimension or holds a number that is not finite.
        """
        window_probs = self.window_probabilities(pieces, -(-n_ticks * SAMPLES_PER_TICK // _WINDOW_SAMPLES))
        window_centres = (np.arange(len(window_probs)) + 0.5) * _WINDOW_SAMPLES
        tick_centres = (np.arange(n_ticks) + 0.5) * SAMPLES_PER_TICK
        tick_probs: Float32Array = np.interp(tick_centres, window_centres, window_probs).astype(np.float32)
        return tick_probs

    def window_probabilities(self, pieces: Iterable[Float32Array], n_windows: int) -> Float32Array:
        """Return the (n_windows,) probabilities of the network's own windows: number i is samples 512 i to 512 (i+1).

        Args:
            pieces: as for a call; padded with silence or cut to `n_windows`.
            n_windows: number of windows.
        """
        hidden = np.zeros(_STATE_SHAPE, np.float32)
        cell = np.zeros(_STATE_SHAPE, np.float32)
        context = np.zeros(_CONTEXT_SAMPLES, np.float32)
        window_probs = np.empty(n_windows, np.float32)
        blocks = _blocks(pieces)
        for first in range(0, n_windows, _BLOCK_WINDOWS):
            n = min(_BLOCK_WINDOWS, n_windows - first)
            samples = np.zeros(_CONTEXT_SAMPLES + n * _WINDOW_SAMPLES, np.float32)
            block = next(blocks, context[:0])[: n * _WINDOW_SAMPLES]
            samples[:_CONTEXT_SAMPLES] = context
            samples[_CONTEXT_SAMPLES : _CONTEXT_SAMPLES + len(block)] = block
            context = samples[-_CONTEXT_SAMPLES:]
            windows = np.lib.stride_tricks.sliding_window_view(samples, _CONTEXT_SAMPLES + _WINDOW_SAMPLES)
            window_probs[first : first + n], hidden, cell = self._session.run(
                ["speech_probs", "hn", "cn"],
                {"input": np.ascontiguousarray(windows[::_WINDOW_SAMPLES]), "h": hidden, "c": cell},
            )
        return window_probs


SILERO_VOICE = PerceptionCard(
    kind="voice",
    name="silero",
    runtime="onnxruntime",
    packages=("silero-vad",),
    weights=lambda _settings: [package_weights("silero-vad", "perception", silero_model_path(), "MIT")],
)


def _blocks(pieces: Iterable[Float32Array]) -> Iterator[Float32Array]:
    """Yield adjacent pieces in blocks of as many samples as the network is given at once; the last may be shorter."""
    size = _BLOCK_WINDOWS * _WINDOW_SAMPLES
    waiting = np.zeros(0, np.float32)
    n_before = 0
    for piece in pieces:
        if piece.ndim != 1:
            raise ValueError(f"audio has shape {piece.shape}; give (S,) samples of one channel")
        if not np.isfinite(piece).all():
            at = int(np.flatnonzero(~np.isfinite(piece))[0])
            raise ValueError(
                f"audio sample {n_before + at} is {piece[at]}; decode again or replace what is not finite by silence"
            )
        n_before += len(piece)
        waiting = np.concatenate([waiting, piece])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if len(waiting):
        yield waiting
