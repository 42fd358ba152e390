import numpy as np
import pytest

from curation.analysis.audio_level import LOUDNESS_FLOOR_DBFS, tick_loudness_dbfs


def test_full_scale_sine_is_3_01_db_below_full_scale() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(16_000) / 16_000).astype(np.float32)  # 4 whole periods per tick
    assert tick_loudness_dbfs(sine, 25) == pytest.approx(np.full(25, -3.0103), abs=1e-3)


def test_square_wave_at_full_scale_is_0_and_at_half_scale_6_02_db_less() -> None:
    square = np.where(np.arange(1280) % 2 == 0, 1.0, -1.0).astype(np.float32)
    square[640:] /= 2
    assert tick_loudness_dbfs(square, 2) == pytest.approx([0.0, -6.0206], abs=1e-3)


def test_each_tick_hears_its_own_640_samples_only() -> None:
    audio = np.zeros(3 * 640, np.float32)
    audio[639:641] = 1.0  # the last sample of tick 0 and the first of tick 1: a mean square of 1/640 each
    levels = tick_loudness_dbfs(audio, 3)
    assert levels == pytest.approx([-28.0618, -28.0618, LOUDNESS_FLOOR_DBFS], abs=1e-3)


def test_audio_that_ends_early_counts_as_silence_and_what_is_over_is_not_used() -> None:
    half_a_tick = np.ones(320, np.float32)  # half the energy of a whole tick
    assert tick_loudness_dbfs(half_a_tick, 2) == pytest.approx([-3.0103, -100.0], abs=1e-3)
    assert tick_loudness_dbfs(np.ones(5000, np.float32), 1) == pytest.approx([0.0])
    assert tick_loudness_dbfs(np.zeros(0, np.float32), 2) == pytest.approx([-100.0, -100.0])


def test_levels_do_not_sink_below_the_floor() -> None:
    assert tick_loudness_dbfs(np.full(640, 1e-9, np.float32), 1) == pytest.approx([-100.0])
