import numpy as np
import pytest

from curation.review.shares import share


def test_wilsons_interval_of_nine_of_ten() -> None:
    # Wilson 1927 by hand: p 0.9, n 10, z 1.96: middle (0.9 + 0.19207) / 1.38415, half width 0.19303
    nine = share([True] * 9 + [False], [1.0] * 10)
    assert (nine.value, nine.n) == (0.9, 10)
    assert (nine.low, nine.high) == (pytest.approx(0.5958, abs=2e-4), pytest.approx(0.9821, abs=2e-4))


def test_a_weight_counts_as_the_members_it_stands_for() -> None:
    weighted = share([True, False], [3.0, 1.0])
    assert weighted.value == 0.75


def test_unequal_weights_say_as_much_as_fewer_equal_ones() -> None:
    # Kish: (4 * 4 + 4 * 1)² / (4 * 16 + 4 * 1) = 400 / 68 = 5.88 members, of which 16 / 20 are hits
    found = share([True] * 4 + [False] * 4, [4.0] * 4 + [1.0] * 4)
    five, six = (share([True] * 4 * n + [False] * n, [1.0] * 5 * n) for n in (1, 2))
    assert found.value == five.value == six.value == 0.8
    assert six.high - six.low < found.high - found.low < five.high - five.low


def test_the_interval_holds_the_true_share_in_19_of_20_samples() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        found = share((random.random(60) < 0.8).tolist(), [1.0] * 60)
        held += found.low <= 0.8 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_a_share_of_nothing_is_no_number() -> None:
    with pytest.raises(ValueError, match="no member"):
        share([], [])
