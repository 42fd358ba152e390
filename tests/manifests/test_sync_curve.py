"""The curve of lips against sound: means, peaks and offsets by hand."""

import numpy as np
import pytest

from manifests.sync_curve import LAGS, SyncCurve, SyncSums, pooled


def scores(n: int, **at: float) -> np.ndarray:
    """(n, 31) zeros, but for the given values at lags, such as `m3=0.5` for lag -3."""
    rows = np.zeros((n, 31), np.float32)
    for name, value in at.items():
        rows[:, 15 + int(name.replace("m", "-").replace("p", ""))] = value
    return rows


def curve(rows: np.ndarray) -> SyncCurve:
    found = SyncSums.of(rows).curve()
    assert found is not None
    return found


def test_lags_go_from_15_ticks_early_to_15_late() -> None:
    assert LAGS.tolist() == list(range(-15, 16))


def test_z_is_the_peak_above_the_median_times_the_root_of_the_ticks() -> None:
    found = curve(scores(64, p4=0.5) + np.float32(0.25))
    assert (found.peak_lag, found.n_ticks) == (4, 64)
    assert found.confidence == pytest.approx(0.5)
    assert found.z == pytest.approx(0.5 * 8)


def test_the_median_is_over_the_lags_that_were_measured_in_single_precision() -> None:
    rng = np.random.default_rng(6)
    for n_missing in (*range(31), 0, 1, 2):
        mean = rng.normal(size=31).astype(np.float32)
        mean[rng.permutation(31)[:n_missing]] = np.nan
        assert SyncCurve(mean, 80).confidence == float(np.nanmax(mean) - np.nanmedian(mean))
        assert SyncCurve(mean, 80).peak_lag == LAGS[np.nanargmax(mean)]


@pytest.mark.parametrize("true", [2.0, 2.25, -3.4, 6.49])
def test_the_offset_of_a_parabola_is_its_top(true: float) -> None:
    # a parabola is met exactly by one through three of its points
    rows = np.tile((1.0 - (LAGS - true) ** 2 / 8).astype(np.float32), (50, 1))
    assert curve(rows).offset_ticks == pytest.approx(true, abs=0.05)  # half floats


def test_at_the_last_lag_and_beside_a_lag_that_is_missing_the_offset_is_the_peak() -> None:
    assert curve(scores(80, p15=0.5)).offset_ticks == 15.0
    rows = scores(80, m2=0.5, m1=0.4)
    rows[:, 15 - 3] = np.nan
    assert curve(rows).offset_ticks == -2.0


def test_ticks_without_scores_do_not_count_and_rare_lags_are_left_out() -> None:
    rows = scores(100, p1=0.5)
    rows[:20] = np.nan
    rows[20:90, :3] = np.nan  # 10 of 80 ticks have the first three lags
    rows[90:, :3] = 5.0
    found = curve(rows)
    assert found.n_ticks == 80
    assert np.isnan(found.mean[:3]).all()
    assert found.peak_lag == 1


def test_nothing_measured_is_no_curve() -> None:
    assert SyncSums.of(np.full((10, 31), np.nan, np.float32)).curve() is None
    assert SyncSums.of(np.zeros((0, 31), np.float32)).curve() is None


def test_pooled_stretches_are_the_curve_of_all_their_ticks() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(170, 31)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    together = pooled([SyncSums.of(rows[:60]), SyncSums.of(rows[60:90]), SyncSums.of(rows[90:])]).curve()
    assert together is not None
    whole = curve(rows)
    np.testing.assert_allclose(together.mean, whole.mean, atol=1e-6)
    assert together.n_ticks == whole.n_ticks == 170


def test_scores_count_as_the_table_frames_holds_them() -> None:
    rows = np.random.default_rng(4).normal(size=(90, 31)).astype(np.float32)
    stored = rows.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(curve(rows).mean, curve(stored).mean)
