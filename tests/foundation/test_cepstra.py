import numpy as np
import pytest

from foundation.cepstra import N_CEPSTRA, mel_cepstra

FLOOR = np.log(np.finfo(np.float64).eps)


def tones() -> np.ndarray:
    """1280 samples of 16 bits: 440 Hz, and 2500 Hz a quarter as loud."""
    at = 2 * np.pi * np.arange(1280) / 16000
    return np.round(8000 * np.sin(440 * at) + 2000 * np.sin(2500 * at)) / 32768


def test_cepstra_are_those_of_python_speech_features() -> None:
    # python_speech_features 0.6: mfcc(samples of 16 bits, 16000), rows 0, 3 and 6 of its 7
    expected = [
        "20.0993 5.6396 -14.7185 11.7531 -26.8794 -66.9814 -13.9815 -0.0924 -33.7464 9.1084 42.4407 1.247 0.5634",
        "20.1056 13.4401 -13.037 23.6642 -15.6882 -61.8945 -9.8208 4.9387 -29.2456 13.2876 45.1342 2.5265 1.6527",
        "19.8759 12.6144 -16.2991 18.552 -17.2443 -60.7778 -9.7458 4.8297 -28.3224 11.549 41.5757 1.0674 -0.0863",
    ]
    rows = mel_cepstra(tones().astype(np.float32), 7)[[0, 3, 6]]
    np.testing.assert_allclose(rows, [np.array(row.split(), float) for row in expected], atol=1e-4)


def test_the_first_number_is_the_logarithm_of_the_energy() -> None:
    # One sample of 1000 (of 32768) at the start, then silence: the high-pass leaves 1000 and -970. The spectrum over
    # its 257 frequencies is |1000 - 970 e^(-iw)|^2 / 512 = (1000^2 + 970^2 - 2 * 1000 * 970 cos w) / 512; the cosines
    # of w = 0 to pi, evenly spaced, add up to 0.
    audio = np.zeros(640, np.float32)
    audio[0] = 1000 / 32768
    energy = 257 * (1000**2 + 970**2) / 512
    assert mel_cepstra(audio, 4)[0, 0] == pytest.approx(np.log(energy), abs=1e-4)


def test_sound_below_half_a_step_of_16_bits_is_silence() -> None:
    rows = mel_cepstra(np.full(1280, 0.4 / 32768, np.float32), 8)
    np.testing.assert_allclose(rows, mel_cepstra(np.zeros(1280, np.float32), 8))
    np.testing.assert_allclose(rows[:, 0], FLOOR, atol=1e-5)
    # a flat spectrum has no shape: all other cepstra are 0
    np.testing.assert_allclose(rows[:, 1:], 0.0, atol=1e-4)


def test_silence_follows_where_the_sound_ends_early() -> None:
    sound = tones().astype(np.float32)
    rows = mel_cepstra(sound, 12)
    # row 8 begins at sample 1280, where the sound ends
    np.testing.assert_allclose(rows[8:, 0], FLOOR, atol=1e-5)
    assert (rows[:8, 0] > 0).all()
    np.testing.assert_array_equal(rows[:5], mel_cepstra(np.concatenate([sound, sound]), 5))


def test_a_long_sound_gives_the_rows_of_its_parts() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 160 * 5000).astype(np.float32)
    rows = mel_cepstra(sound, 5000)
    assert rows.shape == (5000, N_CEPSTRA)
    # 4000 rows from row 900 on; but for the first, whose sound begins without the sample before it
    np.testing.assert_allclose(rows[901:4900], mel_cepstra(sound[160 * 900 :], 4000)[1:], atol=1e-4)


def test_sound_that_is_too_loud_is_clipped_as_16_bits_are() -> None:
    sound = np.resize(np.array([3.0, -3.0], np.float32), 640)
    np.testing.assert_array_equal(mel_cepstra(sound, 4), mel_cepstra(np.sign(sound), 4))


@pytest.mark.parametrize("audio", [np.zeros((2, 640), np.float32), np.full(640, np.nan, np.float32)])
def test_sound_that_is_no_mono_sound_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite samples of one channel"):
        mel_cepstra(audio, 4)
