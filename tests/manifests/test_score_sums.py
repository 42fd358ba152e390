"""Sums over stretches are differences of sums over blocks, and equal to what adding up each tick gives."""

import numpy as np
import pytest

from manifests.score_sums import ScoreSums, StretchSums, sums_between
from manifests.sync_curve import SyncSums


def made_scores(rng: np.random.Generator, n_ticks: int, largest: float = 1.0) -> np.ndarray:
    """(n_ticks, 31) half floats of all sizes, down to the smallest there is, some of them missing."""
    scores = rng.uniform(-largest, largest, (n_ticks, 31)) * 2.0 ** -rng.integers(0, 25, (n_ticks, 31))
    scores[rng.random(scores.shape) < 0.1] = np.nan
    scores[rng.random(n_ticks) < 0.2] = np.nan
    return scores.astype(np.float16)


def made_ranges(rng: np.random.Generator, n_ticks: int, n_ranges: int) -> np.ndarray:
    return np.sort(rng.integers(0, n_ticks + 1, (n_ranges, 2)), axis=1)


def same(sums: StretchSums, plain: list[SyncSums]) -> None:
    np.testing.assert_array_equal(sums.total, [one.total for one in plain])
    np.testing.assert_array_equal(sums.count, [one.count for one in plain])
    np.testing.assert_array_equal(sums.n_ticks, [one.n_ticks for one in plain])


@pytest.mark.parametrize("n_ticks", [1, 15, 16, 17, 300, 2047, 2048, 5000])
def test_any_stretch_has_the_sums_of_its_ticks_bit_for_bit(n_ticks: int) -> None:
    rng = np.random.default_rng(n_ticks)
    scores = made_scores(rng, n_ticks)
    ranges = np.concatenate([made_ranges(rng, n_ticks, 200), [[0, n_ticks], [0, 0], [n_ticks, n_ticks]]])
    plain = [SyncSums.of(scores[first:end]) for first, end in ranges]
    same(sums_between([(ScoreSums.of(scores), ranges)]), plain)


@pytest.mark.parametrize("where", [70, 395])
@pytest.mark.parametrize("value", [np.inf, -np.inf, 60000.0, -2.5])
def test_a_score_that_is_no_cosine_changes_only_the_stretches_that_hold_it(value: float, where: int) -> None:
    rng = np.random.default_rng(2)
    scores = made_scores(rng, 397)
    scores[where, 4] = value
    ranges = made_ranges(rng, 397, 50)
    same(sums_between([(ScoreSums.of(scores), ranges)]), [SyncSums.of(scores[first:end]) for first, end in ranges])


def test_stretches_of_several_videos_come_in_order_and_have_no_sums_where_nothing_was_measured() -> None:
    rng = np.random.default_rng(3)
    one, other = made_scores(rng, 400), made_scores(rng, 90)
    ranges, few = made_ranges(rng, 400, 130), made_ranges(rng, 90, 3)
    sums = sums_between([(ScoreSums.of(one), ranges), (None, few), (ScoreSums.of(other), few)])
    nothing = SyncSums.of(np.full((1, 31), np.nan, np.float32))
    same(sums, [SyncSums.of(one[a:b]) for a, b in ranges] + [nothing] * 3 + [SyncSums.of(other[a:b]) for a, b in few])


def test_the_curves_and_what_is_pooled_are_those_of_the_ticks() -> None:
    rng = np.random.default_rng(4)
    scores = made_scores(rng, 300)
    scores[100:130] = np.nan
    scores[150:196, :3] = np.nan  # rare lags are left out
    sums = sums_between([(ScoreSums.of(scores), np.array([[0, 90], [100, 130], [150, 200]]))])
    first, middle, last = sums.means()
    assert np.isnan(middle).all()
    for mean, ticks in ((first, slice(0, 90)), (last, slice(150, 200))):
        curve = SyncSums.of(scores[ticks]).curve()
        assert curve is not None
        np.testing.assert_array_equal(mean, curve.mean)
    assert np.isnan(last[:3]).all()
    both = SyncSums.of(np.concatenate([scores[:90], scores[150:200]]))
    pooled = sums.pooled([0, 2])
    np.testing.assert_array_equal(pooled.total, both.total)
    np.testing.assert_array_equal(pooled.count, both.count)
    assert pooled.n_ticks == both.n_ticks


def test_the_sums_take_less_than_25_bytes_a_tick() -> None:
    sums = ScoreSums.of(np.zeros((16_000, 31), np.float16)).before
    assert sums is not None
    assert (sums.total.nbytes + sums.count.nbytes + sums.n_ticks.nbytes) / 16_000 < 25
