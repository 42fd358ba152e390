from fractions import Fraction

import pytest

from manifests.timeline import SAMPLES_PER_TICK, seconds_of_tick, tick_count


@pytest.mark.parametrize(
    ("duration_s", "ticks"),
    [
        (0.0, 1),
        (Fraction(1001, 1000), 25),  # 30 pictures of 30000/1001 a second
        (Fraction(99, 100), 25),  # 24.75
        (Fraction(103, 100), 26),  # 25.75
        (Fraction(101, 100), 25),  # 25.25
    ],
)
def test_a_video_has_the_nearest_whole_number_of_ticks(duration_s: float | Fraction, ticks: int) -> None:
    assert tick_count(duration_s) == ticks


def test_a_tick_is_40_ms_and_640_samples() -> None:
    assert seconds_of_tick(1) == 0.04
    assert seconds_of_tick(75) == 3.0
    assert SAMPLES_PER_TICK == 640
