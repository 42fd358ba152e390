from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_video, frame_times

from curation.media.audio import tick_audio
from curation.media.probe import probe
from foundation.array_types import Float32Array

FIFTY = frame_times(Fraction(25), 50)


def tone(seconds: float, rate_hz: int = 48_000, pitch_hz: float = 440.0) -> Float32Array:
    return (0.4 * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def heard(path: Path, first: int = 0, end: int = 50) -> Float32Array:
    samples = tick_audio(probe(path), first, end)
    assert samples is not None
    return samples


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "flac"])
def test_a_tone_comes_out_in_place_at_sixteen_kilohertz(tmp_path: Path, rate_hz: int, codec: str) -> None:
    path = counted_video(tmp_path / "v.mkv", FIFTY, sound=Sound(samples=tone(2, rate_hz), rate_hz=rate_hz, codec=codec))
    samples = heard(path)
    assert samples.shape == (32_000,)
    assert samples.dtype == np.float32
    # Matroska states times to 1 ms; a shift of 1 ms of 440 Hz at 0.4 would differ by 1.0
    middle = slice(1600, 30_400)
    shifts = np.arange(-16, 17)
    expected = tone(2, 16_000)
    # nine samples in ten: FFmpeg's AAC encoder garbles a pure tone for a block now and then
    errors = [np.quantile(np.abs(samples[middle] - expected[1600 - s : 30_400 - s]), 0.9) for s in shifts]
    assert abs(shifts[int(np.argmin(errors))]) <= 8
    assert min(errors) < 0.05


def test_resampling_keeps_speech_and_removes_what_cannot_be_kept(tmp_path: Path) -> None:
    for pitch_hz, gain in ((1000.0, 1.0), (3000.0, 1.0), (7000.0, 1.0), (10_000.0, 0.0)):
        sound = Sound(samples=tone(2, pitch_hz=pitch_hz), codec="pcm_s16le")
        level = np.sqrt(np.mean(heard(counted_video(tmp_path / "v.mkv", FIFTY, sound=sound))[1600:-1600] ** 2))
        assert level == pytest.approx(gain * 0.4 / np.sqrt(2), rel=0.06, abs=0.004)  # 0.5 dB


def test_both_channels_are_heard_and_the_mean_never_clips(tmp_path: Path) -> None:
    sound = Sound(samples=tone(2), codec="pcm_s16le")
    for channels, gain in ((np.array([1.0, 1.0]), 1.0), (np.array([1.0, 0.0]), 0.5), (np.array([0.0, 1.0]), 0.5)):
        stereo = Sound(samples=(channels[:, None] * sound.samples).astype(np.float32), codec="pcm_s16le")
        peak = np.abs(heard(counted_video(tmp_path / "v.mkv", FIFTY, sound=stereo))).max()
        assert peak == pytest.approx(gain * 0.4, rel=0.02)


@pytest.mark.parametrize(("offset_ms", "silent_samples"), [(120, 1920), (500, 8000)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_before_a_late_sound_track_there_is_silence(
    tmp_path: Path, offset_ms: int, silent_samples: int, suffix: str
) -> None:
    sound = Sound(samples=tone(1.2), start_s=Fraction(offset_ms, 1000))
    samples = heard(counted_video(tmp_path / f"v.{suffix}", FIFTY, sound=sound))
    loud = np.flatnonzero(np.abs(samples) > 0.1)
    assert abs(int(loud[0]) - silent_samples) < 100
    assert abs(int(loud[-1]) - silent_samples - 19_200) < 200
    assert np.abs(samples[: silent_samples - 400]).max() == 0


def test_after_a_short_sound_track_there_is_silence(tmp_path: Path) -> None:
    samples = heard(counted_video(tmp_path / "v.mp4", FIFTY, sound=Sound(samples=tone(1))))
    assert np.abs(samples[8000:15_000]).max() > 0.3
    assert np.abs(samples[18_000:]).max() == 0


def test_a_window_holds_the_samples_of_a_pass_from_the_start(tmp_path: Path) -> None:
    # no noise: AAC may store it as "noise of this strength", which every decoder draws anew
    chord = sum(tone(4, pitch_hz=pitch_hz) / 4 for pitch_hz in (220.0, 700.0, 1900.0, 3100.0))
    chord = (chord * np.linspace(0.2, 1, len(chord))).astype(np.float32)
    for suffix, rate_hz in (("mp4", 48_000), ("mp4", 44_100), ("ts", 48_000)):
        sound = Sound(samples=chord, rate_hz=rate_hz)
        path = counted_video(tmp_path / f"v.{suffix}", frame_times(Fraction(25), 90), sound=sound)
        whole = heard(path, 0, 90)
        for first, end in ((0, 10), (40, 41), (55, 90), (30, 30)):
            window = heard(path, first, end)
            np.testing.assert_allclose(window, whole[first * 640 : end * 640], atol=1e-3)


def test_a_file_without_sound_has_none(tmp_path: Path) -> None:
    assert tick_audio(probe(counted_video(tmp_path / "v.mp4", FIFTY)), 0, 50) is None


def test_pictures_that_start_late_move_the_zero(tmp_path: Path) -> None:
    # the click is 1 s after the first picture, wherever the file's own clock starts
    samples = np.zeros(96_000, np.float32)
    samples[48_000:48_480] = 0.8
    for start in (Fraction(0), Fraction(1, 2), Fraction(3)):
        for suffix in ("mkv", "ts"):
            path = tmp_path / f"v.{suffix}"
            counted_video(path, FIFTY, coding=Coding(start_s=start), sound=Sound(samples=samples))
            loud = np.flatnonzero(np.abs(heard(path)) > 0.3)
            assert abs(int(loud[0]) - 16_000) < 32


def test_other_rates_are_given_where_they_divide_into_ticks(tmp_path: Path) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", FIFTY, sound=Sound(samples=tone(2))))
    samples = tick_audio(info, 10, 20, rate_hz=48_000)
    assert samples is not None
    assert samples.shape == (10 * 1920,)
    with pytest.raises(ValueError, match="multiple of 25"):
        tick_audio(info, 0, 50, rate_hz=16_010)
    with pytest.raises(ValueError, match="not within"):
        tick_audio(info, 0, 51)
