import numpy as np

from curation.rules.silence import SilenceSettings, lips_at_rest, silence

SETTINGS = SilenceSettings(max_pause_s=1.0, pad_s=0.08, min_speech_prob=0.5)


def moving(n: int) -> np.ndarray:
    return np.zeros(n, np.bool_)


def test_a_pause_as_long_as_tolerated_is_speech() -> None:
    prob = np.array([1.0] * 10 + [0.0] * 25 + [1.0] * 10, np.float32)
    verdict = silence(prob, moving(45), SETTINGS)
    assert not verdict.failed.any()
    assert verdict.value[9] == 0.0
    assert verdict.value[10] == 1.0


def test_a_longer_pause_is_dropped_but_for_its_pads() -> None:
    prob = np.array([1.0] * 10 + [0.0] * 26 + [1.0] * 10, np.float32)
    failed = silence(prob, moving(46), SETTINGS).failed
    assert np.flatnonzero(failed).tolist() == list(range(12, 34))  # two ticks of 0.08 s kept on either side


def test_silence_at_the_ends_has_no_pad_there() -> None:
    prob = np.array([0.0] * 30 + [1.0] * 5 + [0.0] * 30, np.float32)
    failed = silence(prob, moving(65), SETTINGS).failed
    assert np.flatnonzero(failed).tolist() == list(range(28)) + list(range(37, 65))


def test_a_tick_at_the_threshold_speaks() -> None:
    assert silence(np.full(50, 0.5, np.float32), moving(50), SETTINGS).value.max() == 0.0


def test_without_sound_nothing_is_measured_and_no_tick_passes() -> None:
    verdict = silence(None, moving(3), SETTINGS)
    assert verdict.failed.all()
    assert np.isnan(verdict.value).all()


def test_lips_that_rest_while_a_voice_is_heard_are_a_pause() -> None:
    speaks = np.tile([0.0, 0.1], 50)
    lips = np.concatenate([speaks, np.full(150, 0.05), speaks])
    at_rest = lips_at_rest(lips.astype(np.float32), np.zeros(350, np.bool_), SETTINGS)
    # a window of 51 ticks around the tick lies within the 150 at rest
    assert np.flatnonzero(at_rest).tolist() == list(range(125, 225))
    failed = silence(np.ones(350, np.float32), at_rest, SETTINGS).failed
    assert np.flatnonzero(failed).tolist() == list(range(127, 223))  # two ticks of pad on either side


def test_lips_of_which_less_than_a_second_is_known_do_not_rest() -> None:
    lips = np.full(60, np.nan, np.float32)
    lips[20:44] = 0.01
    assert not lips_at_rest(lips, np.zeros(60, np.bool_), SETTINGS).any()
    lips[44] = 0.01
    assert lips_at_rest(lips, np.zeros(60, np.bool_), SETTINGS).any()


def test_the_lips_of_the_shot_before_do_not_count() -> None:
    lips = np.concatenate([np.full(60, 0.0), np.full(60, 0.2)]).astype(np.float32)
    cut = np.arange(120) == 60
    assert lips_at_rest(lips, cut, SETTINGS).all()
    assert not lips_at_rest(lips, np.zeros(120, np.bool_), SETTINGS)[50:70].any()


def test_a_margin_longer_than_a_pause_leaves_the_other_ticks_alone() -> None:
    prob = np.full(100, 0.9, np.float32)
    prob[:5] = prob[40:45] = 0.1  # pauses of 0.2 s, each with less than its margins
    settings = SilenceSettings(max_pause_s=0.1, pad_s=0.4)
    assert not silence(prob, np.zeros(100, np.bool_), settings).failed.any()
