"""Real speech, noise mixed into it, and the measures of how near two signals are."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from foundation.array_types import Float32Array

Mixer = Callable[[Float32Array, Float32Array, float], Float32Array]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker; the threads of two test processes wait for each other on two cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def speech(shared_dir: Path) -> Float32Array:
    """8 s of one speaker with pauses, 16 kHz mono, peaks at half of full scale."""
    stereo, rate_hz = soundfile.read(shared_dir / "speech" / "RD_Radio34_002.wav", dtype="float32")
    assert rate_hz == 16_000
    return (0.5 * stereo.mean(axis=1)).astype(np.float32)


@pytest.fixture(scope="session")
def white() -> Float32Array:
    return np.random.default_rng(0).standard_normal(128_000).astype(np.float32)


@pytest.fixture(scope="session")
def pink() -> Float32Array:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(128_000))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[:50] = 0.0  # nothing below 6 Hz, which no microphone hears
    return np.fft.irfft(spectrum).astype(np.float32)


@pytest.fixture(scope="session")
def si_sdr_db() -> Callable[[Float32Array, Float32Array], float]:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., 2019, equation 5)."""

    def measure(reference: Float32Array, estimate: Float32Array) -> float:
        target = reference * (estimate @ reference) / (reference @ reference)
        distortion = estimate - target
        return 10.0 * float(np.log10((target @ target) / (distortion @ distortion)))

    return measure
