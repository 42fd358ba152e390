import numpy as np
import pytest

from curation.perception.voice import SileroVoice
from curation.speech.deepfilternet import DeepFilterDenoiser
from curation.speech.snr import snr_db
from foundation.array_types import Float32Array

N_TICKS = 200


@pytest.fixture(scope="module")
def clean(speech: Float32Array) -> Float32Array:
    return DeepFilterDenoiser(max_attenuation_db=100.0)(speech)


@pytest.fixture(scope="module")
def speech_prob(clean: Float32Array) -> Float32Array:
    return SileroVoice()([clean], N_TICKS)


def mixed(clean: Float32Array, noise: Float32Array, snr: float, speech_prob: Float32Array) -> Float32Array:
    """Noise under speech at `snr` dB, by the powers where there is speech."""
    spoken = np.repeat(speech_prob >= 0.5, 640)
    gain = np.sqrt(np.mean(clean[spoken] ** 2) / np.mean(noise**2) / 10 ** (snr / 10))
    return (clean + gain * noise).astype(np.float32)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0, 30.0])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_pauses_measure_the_noise(
    clean: Float32Array, speech_prob: Float32Array, snr: float, colour: str, request: pytest.FixtureRequest
) -> None:
    audio = mixed(clean, request.getfixturevalue(colour), snr, speech_prob)
    assert snr_db(audio, speech_prob) == pytest.approx(snr, abs=1.0)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_speech_without_pauses_is_read_from_its_own_gaps(
    clean: Float32Array, speech_prob: Float32Array, snr: float, colour: str, request: pytest.FixtureRequest
) -> None:
    spoken = speech_prob >= 0.5
    audio = mixed(clean, request.getfixturevalue(colour), snr, speech_prob)[np.repeat(spoken, 640)]
    assert snr_db(audio, np.ones(int(spoken.sum()), np.float32)) == pytest.approx(snr, abs=5.0)


def test_a_tone_over_noise_has_the_ratio_of_their_powers(white: Float32Array) -> None:
    # Sine of amplitude 1: power 0.5; noise of standard deviation 0.05: power 0.0025; 23.0 dB.
    prob = np.repeat([0.0, 1.0, 0.0, 1.0], 50).astype(np.float32)
    tone = np.sin(2 * np.pi * 0.05 * np.arange(128_000)) * np.repeat(prob, 640)
    assert snr_db((tone + 0.05 * white).astype(np.float32), prob) == pytest.approx(23.0, abs=0.2)


def test_no_speech_has_no_ratio(white: Float32Array) -> None:
    assert snr_db(white, np.zeros(N_TICKS, np.float32)) is None
    assert snr_db(np.zeros(0, np.float32), np.zeros(0, np.float32)) is None


def test_digital_silence_and_bare_noise_end_at_the_limits(white: Float32Array) -> None:
    prob = np.repeat([0.0, 1.0], 100).astype(np.float32)
    assert snr_db(np.where(np.arange(128_000) < 64_000, 0.0, white).astype(np.float32), prob) == 60.0
    assert snr_db(np.where(np.arange(128_000) < 64_000, 2.0 * white, white).astype(np.float32), prob) == -10.0
