import av
import numpy as np
import pytest
from av.filter import Graph

from curation.speech import loudness
from curation.speech.loudness import integrated_loudness_lufs, normalise_loudness
from foundation.array_types import Float32Array


def tone(hz: float, dbfs: float, rate_hz: int, seconds: float = 5.0) -> Float32Array:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def ffmpeg_lufs(audio: Float32Array, rate_hz: int) -> float:
    """The reference: FFmpeg's filter ebur128, whose last frame carries the integrated loudness so far."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=rate_hz, format="flt", layout="mono")
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    lufs = float("nan")
    for start in [*range(0, audio.size, rate_hz // 10), None]:
        if start is None:
            source.push(None)
        else:
            frame = av.AudioFrame.from_ndarray(audio[None, start : start + rate_hz // 10], format="flt", layout="mono")
            frame.sample_rate, frame.pts = rate_hz, start
            source.push(frame)
        while True:
            try:
                lufs = float(sink.pull().metadata["lavfi.r128.I"])
            except (av.BlockingIOError, av.EOFError):
                break
    return lufs


def test_a_997_hz_tone_reads_as_its_level_in_dbfs() -> None:
    # BS.1770-4: a full-scale 997 Hz sine in one front channel reads -3.01 LKFS.
    assert integrated_loudness_lufs(tone(997, 0.0, 48_000), 48_000) == pytest.approx(-3.01, abs=0.01)
    assert integrated_loudness_lufs(tone(997, -20.0, 48_000), 48_000) == pytest.approx(-23.01, abs=0.01)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("hz", [60, 997, 4000])
def test_tones_read_as_ffmpeg_reads_them(hz: float, rate_hz: int) -> None:
    audio = tone(hz, -18.0, rate_hz)
    assert integrated_loudness_lufs(audio, rate_hz) == pytest.approx(ffmpeg_lufs(audio, rate_hz), abs=0.02)


def test_speech_with_long_silence_reads_as_ffmpeg_reads_it(speech: Float32Array) -> None:
    audio = np.concatenate([speech, np.zeros(64_000, np.float32), 0.02 * speech]).astype(np.float32)
    assert integrated_loudness_lufs(audio, 16_000) == pytest.approx(ffmpeg_lufs(audio, 16_000), abs=0.02)


def test_the_relative_gate_leaves_a_quiet_passage_out() -> None:
    # EBU Tech 3341 test 3: 10 s at -36, 60 s at -23, 10 s at -36 LUFS read -23.0; a sine peaks 3.01 dB above.
    parts = [tone(997, level + 0.01, 48_000, s) for level, s in ((-33.0, 10.0), (-20.0, 60.0), (-33.0, 10.0))]
    assert integrated_loudness_lufs(np.concatenate(parts), 48_000) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("audio", [np.zeros(0), np.zeros(32_000), tone(997, -10.0, 16_000, 0.39), np.full(9000, 1e-5)])
def test_nothing_to_measure_is_none_and_changes_nothing(audio: Float32Array) -> None:
    audio = audio.astype(np.float32)
    assert integrated_loudness_lufs(audio, 16_000) is None
    same, before, after = normalise_loudness(audio, 16_000, -23.0)
    assert (before, after) == (None, None)
    np.testing.assert_array_equal(same, audio)


def test_a_tone_is_brought_to_the_target() -> None:
    scaled, before, after = normalise_loudness(tone(997, -40.0, 16_000), 16_000, -23.0)
    # 20 dB of gain take a peak of -40 dBFS, which reads -43.01, to -23.01
    assert before == pytest.approx(-43.01, abs=0.05)
    assert after == pytest.approx(-23.0, abs=1e-3)
    assert 20 * np.log10(np.abs(scaled).max()) == pytest.approx(-20.0, abs=0.05)


def test_what_the_absolute_gate_hid_of_a_quiet_clip_is_counted_once_it_is_loud() -> None:
    # At -64 LUFS the second half, 8 dB below, is under the gate at -70; brought to -23 both halves are above it, and
    # the mean of powers 1 and 10^-0.8 is 2.37 dB below the first half's.
    halves = np.concatenate([tone(997, -60.99, 16_000, 4.0), tone(997, -68.99, 16_000, 4.0)])
    scaled, before, after = normalise_loudness(halves, 16_000, -23.0)
    assert before == pytest.approx(-64.0, abs=0.2)
    assert after == pytest.approx(-23.0, abs=0.01)
    assert integrated_loudness_lufs(scaled[: 4 * 16_000], 16_000) == pytest.approx(-23.0 + 2.37, abs=0.1)


@pytest.mark.parametrize("gain", [0.005, 0.1, 1.0])
def test_speech_is_brought_to_the_target(speech: Float32Array, gain: float) -> None:
    audio = (gain * speech).astype(np.float32)
    scaled, before, after = normalise_loudness(audio, 16_000, -23.0)
    assert before == integrated_loudness_lufs(audio, 16_000)
    assert after == pytest.approx(-23.0, abs=0.01)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled / np.abs(scaled).max(), audio / np.abs(audio).max(), atol=1e-6)


def test_the_ceiling_wins_over_the_target_and_shows_in_the_loudness_after(speech: Float32Array) -> None:
    click = 0.05 * speech
    click[64_000] = 0.9
    scaled, _, after = normalise_loudness(click.astype(np.float32), 16_000, -14.0)
    assert after is not None
    assert after < -20.0
    assert np.abs(scaled).max() <= 10 ** (-1.0 / 20.0)


def test_peaks_between_the_samples_stay_below_the_ceiling_too() -> None:
    # A sine at a quarter of the rate, sampled 45 degrees off its peaks: they stand 3.01 dB above the samples.
    audio = (0.3 * np.sin(2 * np.pi * (np.arange(16_000) / 4 + 1 / 8))).astype(np.float32)
    audio *= np.hanning(16_000).astype(np.float32)
    scaled, _, _ = normalise_loudness(audio, 16_000, 6.0)
    assert 20 * np.log10(np.abs(scaled[4000:12_000]).max()) == pytest.approx(-1.0 - 3.01, abs=0.2)


def test_weighting_and_true_peak_are_those_of_the_recursive_filter_and_of_scipys_resampling() -> None:
    from scipy.signal import resample_poly, sosfilt

    audio = np.random.default_rng(0).normal(0.0, 0.1, 20_001).astype(np.float32)
    wide = audio.astype(np.float64)
    weighted = sosfilt(loudness._k_weighting(16_000), wide)
    np.testing.assert_allclose(loudness._k_weighted(wide, 16_000), weighted, rtol=0.0, atol=1e-12)
    assert loudness._true_peak(audio) == pytest.approx(float(np.abs(resample_poly(wide, 4, 1)).max()), abs=1e-12)
