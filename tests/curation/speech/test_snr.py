import io
from fractions import Fraction

import av
import numpy as np
import pytest
from scipy.signal import resample_poly

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
    return voiced(clean)


def voiced(audio: Float32Array) -> Float32Array:
    return SileroVoice()([audio], len(audio) // 640)


def mixed(clean: Float32Array, noise: Float32Array, snr: float, speech_prob: Float32Array) -> Float32Array:
    """Noise under speech at `snr` dB, by the powers where there is speech."""
    spoken = np.repeat(speech_prob >= 0.5, 640)
    gain = np.sqrt(np.mean(clean[spoken] ** 2) / np.mean(noise**2) / 10 ** (snr / 10))
    return (clean + gain * noise).astype(np.float32)


def coded(audio: Float32Array, codec: str, bit_rate: int) -> Float32Array:
    """Return 16 kHz samples as they come out of a codec at 48 kHz."""
    at_48k = resample_poly(audio.astype(np.float64), 3, 1).astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        stream.bit_rate = bit_rate
        for start in range(0, len(at_48k), 4800):
            frame = av.AudioFrame.from_ndarray(at_48k[None, start : start + 4800], format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.seek(0)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=16_000)
    with av.open(file) as container:
        frames = [*container.decode(audio=0), None]
        heard = np.concatenate([part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)])
    return np.pad(heard, (0, max(0, len(audio) - len(heard))))[: len(audio)]


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0, 30.0])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_at_a_known_ratio_is_measured(
    clean: Float32Array, speech_prob: Float32Array, snr: float, colour: str, request: pytest.FixtureRequest
) -> None:
    audio = mixed(clean, request.getfixturevalue(colour), snr, speech_prob)
    assert snr_db(audio, speech_prob) == pytest.approx(snr, abs=1.0)
    # with the ticks that the voice detector finds in the noise, as in a run
    assert snr_db(audio, voiced(audio)) == pytest.approx(snr, abs=2.0)


@pytest.mark.parametrize("snr", [0.0, 10.0, 20.0, 30.0])
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_speech_without_pauses_is_read_from_its_own_gaps(
    clean: Float32Array, speech_prob: Float32Array, snr: float, colour: str, request: pytest.FixtureRequest
) -> None:
    spoken = speech_prob >= 0.5
    audio = mixed(clean, request.getfixturevalue(colour), snr, speech_prob)[np.repeat(spoken, 640)]
    assert snr_db(audio, np.ones(int(spoken.sum()), np.float32)) == pytest.approx(snr, abs=2.0)


@pytest.mark.parametrize("snr", [5.0, 25.0])
def test_the_level_of_a_recording_does_not_change_its_ratio(
    clean: Float32Array, pink: Float32Array, speech_prob: Float32Array, snr: float
) -> None:
    loud = mixed(clean, pink, snr, speech_prob)
    at_full_level = snr_db(loud, voiced(loud))
    for lowered_db in (6, 12, 20):
        quiet = (loud * 10 ** (-lowered_db / 20)).astype(np.float32)
        assert snr_db(quiet, voiced(quiet)) == pytest.approx(at_full_level, abs=1.0)


@pytest.mark.parametrize("snr", [10.0, 25.0])
@pytest.mark.parametrize(("codec", "bit_rate"), [("libopus", 64_000), ("aac", 64_000), ("libmp3lame", 64_000)])
def test_a_codec_does_not_change_the_ratio(
    clean: Float32Array, white: Float32Array, speech_prob: Float32Array, codec: str, bit_rate: int, snr: float
) -> None:
    audio = coded(mixed(clean, white, snr, speech_prob), codec, bit_rate)
    assert snr_db(audio, voiced(audio)) == pytest.approx(snr, abs=2.0)


@pytest.mark.parametrize("snr", [5.0, 20.0])
def test_silenced_pauses_do_not_hide_the_noise_under_speech(
    clean: Float32Array, pink: Float32Array, speech_prob: Float32Array, snr: float
) -> None:
    gated = mixed(clean, pink, snr, speech_prob) * np.repeat(speech_prob >= 0.1, 640)
    assert snr_db(gated.astype(np.float32), speech_prob) == pytest.approx(snr, abs=2.0)


def test_speech_that_the_detector_misses_is_no_noise(
    clean: Float32Array, white: Float32Array, speech_prob: Float32Array
) -> None:
    # it needs some ticks before it hears the first word of a recording
    first = int(np.argmax(speech_prob >= 0.9))
    audio = mixed(clean, white, 20.0, speech_prob)[first * 640 :]
    late = speech_prob[first:].copy()
    late[:10] = 0.0
    assert snr_db(audio, late) == pytest.approx(20.0, abs=1.5)


def test_a_constant_offset_of_the_samples_is_no_noise(
    clean: Float32Array, white: Float32Array, speech_prob: Float32Array
) -> None:
    audio = mixed(clean, white, 20.0, speech_prob)
    assert snr_db((audio + 0.1).astype(np.float32), speech_prob) == pytest.approx(20.0, abs=1.0)


def test_clipped_peaks_change_the_ratio_by_less_than_two_decibels(
    clean: Float32Array, white: Float32Array, speech_prob: Float32Array
) -> None:
    audio = mixed(clean, white, 20.0, speech_prob)
    limit = float(np.quantile(np.abs(audio), 0.99))
    assert snr_db(np.clip(audio, -limit, limit).astype(np.float32), speech_prob) == pytest.approx(20.0, abs=2.0)


def test_a_tone_over_noise_has_the_ratio_of_their_powers(white: Float32Array) -> None:
    # Sine of amplitude 1: power 0.5; noise of standard deviation 0.05: power 0.0025; 23.0 dB.
    prob = np.repeat([0.0, 1.0, 0.0, 1.0], 50).astype(np.float32)
    tone = np.sin(2 * np.pi * 0.05 * np.arange(128_000)) * np.repeat(prob, 640)
    assert snr_db((tone + 0.05 * white).astype(np.float32), prob) == pytest.approx(23.0, abs=0.5)


def test_no_speech_has_no_ratio(white: Float32Array) -> None:
    assert snr_db(white, np.zeros(N_TICKS, np.float32)) is None
    assert snr_db(np.zeros(0, np.float32), np.zeros(0, np.float32)) is None


def test_speech_without_noise_and_bare_noise_end_at_the_limits(white: Float32Array) -> None:
    prob = np.repeat([0.0, 1.0], 100).astype(np.float32)
    words = np.where(np.arange(128_000) % 16_000 < 12_000, white, 0.0)
    assert snr_db(words.astype(np.float32), np.ones(N_TICKS, np.float32)) == 60.0
    assert snr_db(np.where(np.arange(128_000) < 64_000, 2.0 * white, white).astype(np.float32), prob) == -10.0
    assert snr_db(np.zeros(128_000, np.float32), prob) == -10.0
