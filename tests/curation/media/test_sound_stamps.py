"""Time stamps of sound that wobble, drift, jump or lie, on arrays and in files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.made_sound import MadeTrack, write_sound

from curation.media.audio import file_audio, sound_tracks, tick_audio
from curation.media.probe import probe
from curation.media.sound_stamps import steady_times
from foundation.array_types import Float32Array, Float64Array

HOUR = 180_000
"""Packets of 20 ms."""


def packets(n: int) -> tuple[Float64Array, Float64Array]:
    """Return the right times of `n` packets of 20 ms, and their lengths."""
    return np.arange(n) * 0.02, np.full(n, 0.02)


def test_stamps_of_a_constant_clock_are_left_alone() -> None:
    right_s, length_s = packets(500)
    assert steady_times(right_s, length_s) is None
    assert steady_times(right_s + 3.7, length_s) is None
    assert steady_times(np.round(right_s, 3), length_s) is None  # Matroska


@pytest.mark.parametrize("wobble_ms", [4, 12, 40])
def test_an_hour_of_wobbling_stamps_keeps_its_place_within_two_milliseconds(wobble_ms: int) -> None:
    right_s, length_s = packets(HOUR)
    wobble_s = np.random.default_rng(0).uniform(-wobble_ms, wobble_ms, HOUR) / 1000
    found_s = steady_times(right_s + wobble_s, length_s)
    assert found_s is not None
    assert np.abs(found_s - right_s).max() < 0.002
    assert np.abs(np.diff(found_s) - 0.02).max() < 1e-4


@pytest.mark.parametrize("wobble_ms", [0, 4])
@pytest.mark.parametrize("drift", [0.005, -0.005, 0.0001])
def test_an_hour_of_a_wrong_clock_keeps_its_place_within_two_milliseconds(drift: float, wobble_ms: int) -> None:
    right_s, length_s = packets(HOUR)
    right_s = right_s * (1 + drift)
    wobble_s = np.random.default_rng(0).uniform(-wobble_ms, wobble_ms, HOUR) / 1000
    found_s = steady_times(right_s + wobble_s, length_s)
    assert found_s is not None
    assert np.abs(found_s - right_s).max() < 0.002


def test_a_clock_whose_rate_changes_is_followed() -> None:
    right_s, length_s = packets(30_000)  # 10 minutes, 0.3 % fast in the middle of every minute, slow at its ends
    right_s = right_s + 0.003 * 60 / (2 * np.pi) * np.sin(2 * np.pi * right_s / 60)
    found_s = steady_times(right_s, length_s)
    assert found_s is not None
    assert np.abs(found_s - right_s).max() < 0.010


@pytest.mark.parametrize("wobble_ms", [0, 4])
@pytest.mark.parametrize("gap_s", [0.08, 1.5, -0.06])
def test_a_lost_packet_is_a_gap_and_an_overlap_stays_one(gap_s: float, wobble_ms: int) -> None:
    right_s, length_s = packets(1000)
    right_s[400:] += gap_s
    wobble_s = np.random.default_rng(0).uniform(-wobble_ms, wobble_ms, 1000) / 1000
    found_s = steady_times(right_s + wobble_s, length_s)
    found_s = right_s if found_s is None else found_s
    assert np.abs(found_s - right_s).max() < 0.002


def test_a_single_wrong_stamp_moves_nothing() -> None:
    right_s, length_s = packets(1000)
    stamped_s = right_s.copy()
    stamped_s[500] += 0.3
    stamped_s[700:703] -= 0.05
    found_s = steady_times(stamped_s, length_s)
    assert found_s is not None
    assert np.abs(found_s - right_s).max() < 0.001


def chirps(seconds: float) -> Float32Array:
    """Return 48 kHz samples that differ everywhere: tones that rise and fall, loud all the time."""
    time_s = np.arange(round(seconds * 48_000)) / 48_000
    phase = 2 * np.pi * (1500 * time_s + 150 * np.sin(2 * np.pi * 0.7 * time_s) + 40 * np.sin(2 * np.pi * 2.3 * time_s))
    return (0.4 * np.sin(phase)).astype(np.float32)


def wobble(limit_ms: float) -> Callable[[int, float], float]:
    chance = np.random.default_rng(7)
    return lambda _packet, time_s: max(0.0, time_s + chance.uniform(-limit_ms, limit_ms) / 1000)


def drift(share: float) -> Callable[[int, float], float]:
    return lambda _packet, time_s: time_s * (1 + share)


BAD_CLOCKS = {
    "4 ms": (lambda: wobble(4), 0.0),
    "12 ms": (lambda: wobble(12), 0.0),
    "fast": (lambda: drift(-0.005), -0.005),
    "slow": (lambda: drift(0.005), 0.005),
}


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libopus"), ("mkv", "pcm_s16le"), ("mp4", "aac")])
@pytest.mark.parametrize("clock", BAD_CLOCKS)
def test_sound_of_a_bad_clock_is_whole_and_in_its_place(tmp_path: Path, clock: str, suffix: str, codec: str) -> None:
    stamp, share = BAD_CLOCKS[clock]
    sound = chirps(8)
    track = MadeTrack(samples=sound[None], codec=codec, stamp=stamp())
    info = probe(write_sound(tmp_path / f"v.{suffix}", [track], pictures_s=7.5))
    heard = tick_audio(info, 0, info.n_ticks)
    assert heard is not None
    inner = heard[800:-800]
    # loud everywhere: no hole of even a millisecond
    assert np.sqrt(np.convolve(inner**2, np.ones(32) / 32, "valid")).min() > 0.1
    # what is heard at each time is what was recorded then, by the wrong clock
    for middle_s in (0.6, 2.0, 4.0, 6.0, 7.0):
        at = round(middle_s * 16_000) + np.arange(-4000, 4000)
        errors = {}
        for late_ms in np.arange(-5, 5.1, 0.0625):
            recorded_s = (at / 16_000 - late_ms / 1000) / (1 + share)
            right = np.interp(recorded_s, np.arange(len(sound)) / 48_000, sound)
            errors[late_ms] = np.abs(heard[at] - right).mean()
        best = min(errors, key=errors.__getitem__)
        assert abs(best) <= 3.0
        assert errors[best] < 0.1  # unlike signals: 0.32; half a step of the search: 0.08


@pytest.mark.parametrize("clock", BAD_CLOCKS)
def test_a_window_of_a_bad_clock_holds_the_samples_of_a_pass(tmp_path: Path, clock: str) -> None:
    track = MadeTrack(samples=chirps(8)[None], codec="pcm_s16le", stamp=BAD_CLOCKS[clock][0]())
    info = probe(write_sound(tmp_path / "v.mkv", [track], pictures_s=8))
    whole = tick_audio(info, 0, 200)
    assert whole is not None
    for first, end in ((60, 61), (100, 190), (0, 40)):
        window = tick_audio(info, first, end)
        np.testing.assert_allclose(window, whole[first * 640 : end * 640], atol=2e-3)


def test_a_lost_packet_is_silence_of_its_length(tmp_path: Path) -> None:
    def without_some(packet: int, time_s: float) -> float | None:
        return None if 100 <= packet < 103 else time_s

    track = MadeTrack(samples=chirps(8)[None], codec="pcm_s16le", stamp=without_some)
    info = probe(write_sound(tmp_path / "v.mkv", [track], pictures_s=8))
    heard = tick_audio(info, 0, 200)
    assert heard is not None
    silent = np.flatnonzero(np.convolve(np.abs(heard), np.ones(160), "same") < 0.01)
    assert silent[0] / 16_000 == pytest.approx(100 * 1024 / 48_000, abs=0.01)
    assert silent[-1] / 16_000 == pytest.approx(103 * 1024 / 48_000, abs=0.01)


def test_a_file_of_sound_alone_follows_its_stamps_too(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", [MadeTrack(samples=chirps(8)[None], codec="libopus", stamp=drift(0.005))])
    sound = sound_tracks(path)
    assert sound is not None
    heard = file_audio(path, sound.heard)
    assert heard is not None
    assert float(heard.duration_s) == pytest.approx(8 * 1.005, abs=0.03)
    assert np.sqrt(np.convolve(heard.samples[800:120_000] ** 2, np.ones(32) / 32, "valid")).min() > 0.1
