import numpy as np

from curation.rules.silence import SilenceSettings, silence

SETTINGS = SilenceSettings(max_pause_s=1.0, pad_s=0.08, min_speech_prob=0.5)


def test_a_pause_as_long_as_tolerated_is_speech() -> None:
    prob = np.array([1.0] * 10 + [0.0] * 25 + [1.0] * 10, np.float32)
    verdict = silence(prob, 45, SETTINGS)
    assert not verdict.failed.any()
    assert verdict.value[9] == 0.0
    assert verdict.value[10] == 1.0


def test_a_longer_pause_is_dropped_but_for_its_pads() -> None:
    prob = np.array([1.0] * 10 + [0.0] * 26 + [1.0] * 10, np.float32)
    failed = silence(prob, 46, SETTINGS).failed
    assert np.flatnonzero(failed).tolist() == list(range(12, 34))  # two ticks of 0.08 s kept on either side


def test_silence_at_the_ends_has_no_pad_there() -> None:
    prob = np.array([0.0] * 30 + [1.0] * 5 + [0.0] * 30, np.float32)
    failed = silence(prob, 65, SETTINGS).failed
    assert np.flatnonzero(failed).tolist() == list(range(28)) + list(range(37, 65))


def test_a_tick_at_the_threshold_speaks() -> None:
    assert silence(np.full(50, 0.5, np.float32), 50, SETTINGS).value.max() == 0.0


def test_without_sound_nothing_is_measured_and_no_tick_passes() -> None:
    verdict = silence(None, 3, SETTINGS)
    assert verdict.failed.all()
    assert np.isnan(verdict.value).all()
