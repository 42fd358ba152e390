import numpy as np
import pytest
from scipy import stats

from training.ratings.opinion_scores import adjusted_by_holm, mean_opinion, paired_p, resampling

NAN = np.nan


def test_the_mean_is_of_all_grades_given() -> None:
    grades = np.array([[5.0, 3.0, NAN], [4.0, NAN, NAN]])
    assert mean_opinion(grades, resampling(2, 3, 0)).mean == 4.0


def test_with_one_rater_the_interval_is_that_of_a_mean_over_videos() -> None:
    grades = np.random.default_rng(1).integers(1, 6, size=(1, 200)).astype(np.float64)
    found = mean_opinion(grades, resampling(1, 200, 0))
    error = grades.std() / np.sqrt(200)
    assert (found.low, found.high) == pytest.approx(
        (grades.mean() - 1.96 * error, grades.mean() + 1.96 * error), abs=0.1 * error
    )


def test_raters_who_differ_widen_the_interval_however_many_videos_there_are() -> None:
    of_rater = np.array([2.0, 3.0, 3.0, 4.0, 2.0, 4.0, 3.0, 3.0])
    found = mean_opinion(np.repeat(of_rater[:, None], 500, axis=1), resampling(8, 500, 0))
    assert found.mean == 3.0
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * of_rater.std() / np.sqrt(8), rel=0.08)


def test_grades_that_are_all_alike_have_no_interval_to_speak_of() -> None:
    found = mean_opinion(np.full((3, 4), 2.0), resampling(3, 4, 0))
    assert (found.mean, found.low, found.high) == (2.0, 2.0, 2.0)


def test_what_nobody_rated_has_no_mean() -> None:
    assert np.isnan(mean_opinion(np.full((2, 2), NAN), resampling(2, 2, 0)).mean)
    assert np.isnan(paired_p(np.full((2, 2), NAN), 0))


def test_five_videos_all_better_have_the_smallest_p_of_five_signs() -> None:
    # 2 of 2^5 changes of sign are as far from 0: none, and all
    assert paired_p(np.array([[1.0, 1.0, 2.0, 1.0, 1.0]]), 0) == 2 / 32


def test_systems_that_are_alike_have_a_p_of_one() -> None:
    assert paired_p(np.zeros((4, 30)), 0) == 1.0
    assert paired_p(np.array([[1.0, -1.0]]), 0) == 1.0


@pytest.mark.parametrize("n_videos", [10, 40])
def test_p_is_that_of_scipy(n_videos: int) -> None:
    draws = np.random.default_rng(3)
    differences = draws.integers(-2, 4, size=(6, n_videos)).astype(np.float64) - 0.2
    differences[draws.random(differences.shape) < 0.3] = NAN
    sums = np.nansum(differences, axis=0)
    n_resamples = np.inf if n_videos == 10 else 20_000
    expected = stats.permutation_test(
        (sums,), np.mean, permutation_type="samples", n_resamples=n_resamples, rng=np.random.default_rng(0)
    ).pvalue
    assert 0.01 < expected < 0.9
    assert paired_p(differences, 0) == pytest.approx(expected, rel=1e-9 if n_videos == 10 else 0.2)


def test_grades_of_more_raters_on_the_same_videos_are_no_further_evidence() -> None:
    one = np.array([[1.0, 1.0, -1.0, 1.0, 2.0, 1.0]])
    assert paired_p(np.repeat(one, 20, axis=0), 0) == paired_p(one, 0)


def test_adjusted_p_never_falls_and_skips_what_was_not_compared() -> None:
    assert adjusted_by_holm([0.04, NAN, 0.01, 0.03]) == pytest.approx([0.06, NAN, 0.03, 0.06], nan_ok=True)
