"""Long speech is divided where nobody speaks."""

import numpy as np
import pytest

from curation.speech.quiet_borders import LONGEST_STRETCH, divided_at_pauses
from foundation.array_types import Float32Array

RATE = 16_000


def talk(duration_s: float, pauses_s: list[tuple[float, float]]) -> Float32Array:
    """Noise of one level with pauses of a much lower one."""
    sound = 0.1 * np.random.default_rng(2).standard_normal(round(duration_s * RATE))
    for start_s, end_s in pauses_s:
        sound[round(start_s * RATE) : round(end_s * RATE)] *= 0.01
    return sound.astype(np.float32)


@pytest.mark.parametrize(
    ("duration_s", "pauses_s", "borders_s"),
    [
        (30.0, [(15.0, 16.0)], []),  # Whisper takes it at once
        (31.0, [(12.0, 12.2), (28.0, 29.0)], [(12.0, 12.2)]),  # 15.5 is the middle; 28 is too far from it
        (60.0, [(16.0, 16.3), (38.0, 38.3)], [(16.0, 16.3), (38.0, 38.3)]),  # about every 20 s
    ],
)
def test_borders_are_in_pauses_near_an_even_division(
    duration_s: float, pauses_s: list[tuple[float, float]], borders_s: list[tuple[float, float]]
) -> None:
    stretches = divided_at_pauses(talk(duration_s, pauses_s))
    assert len(stretches) == len(borders_s) + 1
    for (_, end), (low_s, high_s) in zip(stretches, borders_s, strict=False):
        assert low_s <= end / RATE <= high_s


@pytest.mark.parametrize("duration_s", [0.0, 29.99, 30.01, 49.9, 50.1, 75.0, 123.4, 600.0])
def test_stretches_tile_the_sound_and_none_is_too_long_or_too_short(duration_s: float) -> None:
    for sound in (talk(duration_s, []), np.zeros(round(duration_s * RATE), np.float32)):
        stretches = divided_at_pauses(sound)
        assert [first for first, _ in stretches] == [0, *(end for _, end in stretches[:-1])]
        assert stretches[-1][1] == sound.size
        lengths = [end - first for first, end in stretches]
        assert max(lengths) <= LONGEST_STRETCH
        assert len(lengths) == 1 or min(lengths) >= 10 * RATE


def test_silence_is_divided_evenly() -> None:
    assert divided_at_pauses(np.zeros(40 * RATE, np.float32)) == [(0, 20 * RATE), (20 * RATE, 40 * RATE)]
