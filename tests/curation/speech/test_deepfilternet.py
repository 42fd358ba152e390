import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.speech import deepfilternet
from curation.speech.deepfilternet import DeepFilterDenoiser
from foundation.array_types import Float32Array

Measure = Callable[[Float32Array, Float32Array], float]


@pytest.fixture(scope="module")
def denoise() -> DeepFilterDenoiser:
    return DeepFilterDenoiser(max_attenuation_db=24.0)


def at_snr(speech: Float32Array, noise: Float32Array, snr: float) -> Float32Array:
    return (speech + noise * np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr / 10))).astype(np.float32)


def delay_samples(reference: Float32Array, signal: Float32Array) -> float:
    """Where the cross-correlation peaks, to an eighth of a sample; positive: `signal` is late."""
    n = 2 * reference.size
    spectrum = np.conj(np.fft.rfft(reference, n)) * np.fft.rfft(signal, n)
    peak = int(np.argmax(np.fft.irfft(spectrum, 8 * n)))
    return (peak if peak < 4 * n else peak - 8 * n) / 8


@pytest.mark.parametrize(("colour", "snr", "gain"), [("white", 0.0, 8.0), ("white", 10.0, 5.0), ("pink", 5.0, 5.0)])
def test_noise_goes_and_nothing_moves(
    denoise: DeepFilterDenoiser,
    speech: Float32Array,
    si_sdr_db: Measure,
    colour: str,
    snr: float,
    gain: float,
    request: pytest.FixtureRequest,
) -> None:
    noisy = at_snr(speech, request.getfixturevalue(colour), snr)
    quiet = denoise(noisy)
    assert quiet.shape == speech.shape
    assert quiet.dtype == np.float32
    assert si_sdr_db(speech, quiet) > si_sdr_db(speech, noisy) + gain
    assert delay_samples(speech, quiet) == 0.0


def test_clean_speech_passes_nearly_untouched_from_first_to_last_sample(
    denoise: DeepFilterDenoiser, speech: Float32Array, si_sdr_db: Measure
) -> None:
    loud = speech[3200:26_000]  # speech throughout, so that every part of it can be compared
    passed = denoise(loud)
    assert si_sdr_db(speech, denoise(speech)) > 35.0  # one sample of shift makes it less than 25
    assert si_sdr_db(speech, np.roll(speech, 1)) < 25.0
    assert si_sdr_db(loud[:800], passed[:800]) > 15.0
    assert si_sdr_db(loud[-800:], passed[-800:]) > 15.0


def test_speech_before_digital_silence_is_kept(
    denoise: DeepFilterDenoiser, speech: Float32Array, si_sdr_db: Measure
) -> None:
    spoken = speech[10_000:26_000]
    before_silence = denoise(np.concatenate([spoken, np.zeros(16_000, np.float32)]))[:16_000]
    assert si_sdr_db(spoken[-480:], before_silence[-480:]) > 10.0


def test_the_same_samples_give_the_same_bytes_after_other_sound_and_in_another_process(
    denoise: DeepFilterDenoiser, speech: Float32Array, white: Float32Array, tmp_path: Path
) -> None:
    noisy = at_snr(speech, white, 5.0)[:32_000]
    np.save(tmp_path / "noisy.npy", noisy)
    first = denoise(noisy)
    denoise(white[:16_000])
    np.testing.assert_array_equal(denoise(noisy), first)
    program = (
        "import hashlib, sys, numpy; from curation.speech.deepfilternet import DeepFilterDenoiser as D\n"
        "print(hashlib.sha256(D(24.0)(numpy.load(sys.argv[1])).tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "noisy.npy")], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == hashlib.sha256(first.tobytes()).hexdigest()


def test_the_attenuation_limit_is_kept(white: Float32Array) -> None:
    # Of sound that holds no speech all is taken away, down to the limit.
    noise = (0.05 * white[:48_000]).astype(np.float32)
    taken_db = 20 * np.log10(np.std(noise) / np.std(DeepFilterDenoiser(max_attenuation_db=12.0)(noise)))
    assert taken_db == pytest.approx(12.0, abs=1.0)


@pytest.mark.parametrize("n", [0, 1, 479, 641])
def test_any_length_comes_back(denoise: DeepFilterDenoiser, n: int) -> None:
    assert denoise(np.zeros(n, np.float32)).shape == (n,)


def test_a_sample_that_is_no_number_is_named(denoise: DeepFilterDenoiser) -> None:
    with pytest.raises(ValueError, match="sample 7 of the speech to denoise is nan"):
        denoise(np.where(np.arange(20) == 7, np.nan, 0.0).astype(np.float32))


@pytest.mark.parametrize("max_attenuation_db", [24.0, 100.0])
def test_one_pass_gives_the_samples_of_the_official_runtime(
    speech: Float32Array, white: Float32Array, max_attenuation_db: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = at_snr(speech, white, 5.0)[:32_000]
    noisy[20_000:26_000] = 0.0  # digital silence
    denoise = DeepFilterDenoiser(max_attenuation_db)
    in_one_pass = denoise(noisy)
    monkeypatch.setattr(deepfilternet, "_MOST_HOPS", 0)
    np.testing.assert_allclose(in_one_pass, denoise(noisy), rtol=0.0, atol=1e-5)
